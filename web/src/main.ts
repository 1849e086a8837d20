import './styles/app.css';
import { startEarly } from './early';

// The route would ask for its code only after the router is there.
if (startEarly(location.pathname)) void import('./routes/watch/page');
void import('./app').then(({ mount }) => mount());
