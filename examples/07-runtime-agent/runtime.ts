// A runtime of your own, in the simplest profile of the VM protocol: a WebSocket and JSON, nothing of Plexus. It is started with
//   VM_USER_ID, VM_TICKET, VM_TOKEN, CONTROL_PLANE_WS        (`npx plexus vm attach` prints them)
// and is from then on the VM of its owner: the mesh hands it sessions and messages, it streams back what its agent says and does.
import { answerTo, type Mesh } from './agent.ts';

interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly session_id?: string;
  readonly data?: Record<string, unknown>;
  readonly result?: unknown;
  readonly error?: Failure | null;
  readonly results?: Readonly<Record<string, { readonly status: string; readonly data?: unknown; readonly error?: Failure }>>;
}
type Failure = { readonly code: string; readonly message: string };

const { VM_USER_ID, VM_TICKET, VM_TOKEN, CONTROL_PLANE_WS } = process.env;
for (const [name, value] of Object.entries({ VM_USER_ID, VM_TICKET, VM_TOKEN, CONTROL_PLANE_WS })) if (!value) throw new Error(`${name} is not set`);

const sessions = new Set<string>();
const running = new Map<string, AbortController>();
const asked = new Map<string, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
let failures = 0;

function settle(id: string, result: unknown, error?: Failure | null): void {
  if (error) asked.get(id)?.reject(new Error(`${error.code}: ${error.message}`));
  else asked.get(id)?.resolve(result);
  asked.delete(id);
}

const on: Record<string, (frame: Frame) => void> = {
  init: () => {
    failures = 0;
    console.log('connected');
  },
  start_session: ({ data }) => sessions.add(String(data?.session_id)),
  stop_session: ({ data }) => sessions.delete(String(data?.session_id)),
  user_message: ({ session_id, data }) => void run(String(session_id), String(data?.message)),
  cancel: ({ session_id }) => running.get(String(session_id))?.abort(),
  response: ({ id, result, error }) => settle(String(id), result, error),
  // After a reconnect: what became of the questions that were open.
  resume_response: ({ results = {} }) => {
    for (const [id, { status, data, error }] of Object.entries(results)) {
      if (status !== 'pending') settle(id, data, status === 'completed' ? undefined : (error ?? { code: 'LOST', message: 'ask again' }));
    }
  },
};

/** One message: whatever happens, it has exactly one end. */
async function run(session: string, message: string): Promise<void> {
  const stop = new AbortController();
  running.set(session, stop);
  const tell = (event: object): void => send({ type: 'sse_event', session_id: session, data: JSON.stringify(event) });
  const ask = (method: string, params: object): Promise<unknown> => {
    const id = crypto.randomUUID();
    send({ type: 'request', id, session_id: session, method, params });
    return new Promise((resolve, reject) => asked.set(id, { resolve, reject }));
  };
  try {
    const mesh: Mesh = { tell, ask, signal: stop.signal };
    const content = await answerTo(message, mesh);
    tell({ type: 'execution_complete', content });
  } catch (error) {
    tell(stop.signal.aborted ? { type: 'execution_complete', cancelled: true } : { type: 'execution_error', code: 'AGENT_FAILED', error: String(error) });
  }
  running.delete(session);
}

let socket: WebSocket;
/** While the connection is away, what is told is lost, and what is asked is asked about as soon as it is back. */
const send = (frame: object): void => {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
};

/** The ticket opens the first connection; after that the token is enough, for as long as this VM is wanted. */
function connect(ticket?: string): void {
  const query = new URLSearchParams({ user_id: VM_USER_ID as string, ...(ticket && { ticket }) });
  socket = new WebSocket(`${CONTROL_PLANE_WS}?${query}`);
  let beating: NodeJS.Timeout | undefined;
  socket.onopen = () => {
    send({ type: 'auth', token: VM_TOKEN });
    if (ticket === undefined) send({ type: 'resume', pending_ids: [...asked.keys()] });
    beating = setInterval(() => send({ type: 'heartbeat', active_sessions: [...sessions] }), 10_000);
  };
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(String(data)) as Frame;
    on[frame.type]?.(frame); // a frame that it does not know is none for it
  };
  socket.onclose = ({ code, reason }) => {
    clearInterval(beating);
    if ([4001, 4004, 4009, 4409].includes(code)) {
      console.log(`not wanted any more (${code} ${reason})`);
      process.exit(code === 4409 ? 79 : 0);
    }
    setTimeout(connect, Math.min(30_000, 1_000 * 2 ** failures));
    failures += 1;
  };
}

connect(VM_TICKET);
