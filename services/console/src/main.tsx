import './zod-jitless.js';
import './design/tokens.css';
import './design/base.css';
import './design/layout.css';
import './design/parts.css';
import './design/pages.css';
import './design/chat.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { keepGivenToken } from './api/token.js';
import { App } from './app/app.js';
import { startTranslations } from './i18n/i18n.js';

keepGivenToken();
await startTranslations();
const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
