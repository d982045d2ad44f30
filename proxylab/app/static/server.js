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

async function post(name, query) {
  return readAnswer(await fetch(`/api/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(query),
  }));
}

async function readAnswer(answer) {
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error ?? `the server answered ${answer.status}`);
  return found;
}
