import { useEffect, useState } from 'preact/hooks';
import { ago } from '../view/format.ts';

/** How long ago, kept up to date. */
export function Ago({ time }: { time: string | number }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5000);
    return () => clearInterval(timer);
  }, []);
  const date = new Date(time);
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString()}>
      {ago(time, Math.max(now, Date.now()))}
    </time>
  );
}
