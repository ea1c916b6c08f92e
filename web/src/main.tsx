import { render } from 'preact';
import { App } from './app.tsx';
import { startFollowing } from './state/cluster.ts';
import './styles/base.css';
import './styles/parts.css';
import './styles/tables.css';
import './styles/lists.css';
import './styles/dialogs.css';
import './styles/fleet.css';
import './styles/plots.css';
import './styles/cost.css';

const place = document.getElementById('app');
if (!place) throw new Error('index.html has no #app');
startFollowing();
render(<App />, place);
