import './styles/app.css';
import { startEarly } from './early';

startEarly(location.pathname);
void import('./app').then(({ mount }) => mount());
