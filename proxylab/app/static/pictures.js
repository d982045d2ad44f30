/* The pictures that boards are drawn with. */

/* {name: picture} of sprites, all loaded. */
export async function loadPictures(sprites) {
  const loaded = Object.entries(sprites).map(async ([name, address]) => {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    return [name, picture];
  });
  return Object.fromEntries(await Promise.all(loaded));
}
