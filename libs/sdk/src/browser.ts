// For pages without a bundler: the HTTP and the WebSocket side in one file that imports nothing (`<script type="module">` and it runs).
import './without-compiling.js';

export * from './gateway.js';
export * from './http.js';
