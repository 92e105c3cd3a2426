// What stands between a client and a provider: a proxy that passes requests on, and an endpoint that gives tokens for a client's secret.
import http from "node:http";

/** `passed` are the addresses that came by, `bodies` what the token endpoint was sent. */
export async function startBetween() {
  const passed = [];
  const bodies = [];
  const server = http.createServer((request, response) => {
    if (request.url === "/token") {
      let body = "";
      request.on("data", (data) => (body += data));
      request.on("end", () => {
        bodies.push(body);
        response.setHeader("content-type", "application/json");
        response.end('{"access_token":"canary-granted-66","token_type":"Bearer","expires_in":3600}');
      });
      return;
    }
    passed.push(request.url);
    const { method, headers } = request;
    const onward = http.request(request.url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.writeHead(502).end());
    request.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, passed, bodies, stop: () => server.close() };
}
