// Asked behind the doorbell.
export default function register({ handle }) {
  handle(({ path, method, body }) => (path.startsWith('/generic') || path.startsWith('/second') ? { body: `second ${method} ${body.length}` } : undefined));
}
