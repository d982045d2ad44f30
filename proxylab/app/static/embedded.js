/* Placeholder until the embedded source lands. */

export class EmbeddedSource {
  constructor(data) { this.data = data; }

  async catalogue() { return this.data.catalogue; }
}
