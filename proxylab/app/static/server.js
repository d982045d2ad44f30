/* The data source that asks the server of `proxylab app`. */

const POLL_MS = 250;

export class ServerSource {
  async catalogue() {
    return readAnswer(await fetch("/api/catalogue"));
  }

  level(query) { return post("level", query); }

  field(query) { return post("field", query); }

  episode(query) { return post("episode", query); }

  occupancy(query) { return post("occupancy", query); }

  /* The verdict of the detector; show(job) is called as it goes on. */
  async verdict(query, show) {
    for (;;) {
      const job = await post("verdict", query);
      show(job);
      if (job.state === "done" || job.state === "failed") return job;
      await new Promise((wake) => setTimeout(wake, POLL_MS));
    }
  }
}

/* The same of `proxylab app --rate`. */
export class RatingSource {
  async catalogue() {
    return readAnswer(await fetch("/api/catalogue"));
  }

  question(query) { return post("question", query); }

  answer(query) { return post("answer", query); }

  undo(query) { return post("undo", query); }
}

async function post(name, query) {
  return readAnswer(await reached(`/api/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(query),
  }));
}

/* fetch, which says in words that nothing answers. */
async function reached(address, options) {
  try {
    return await fetch(address, options);
  } catch {
    throw new Error("the server does not answer: is it still running?");
  }
}

async function readAnswer(answer) {
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error ?? `the server answered ${answer.status}`);
  return found;
}
