import { useFormats } from "@obedio/web";

const date: Intl.DateTimeFormatOptions = { weekday: "short", day: "numeric", month: "short" };

/** When a bucket begins: the day in UTC, as the buckets are; the hour in the reader's time. */
export function BucketTime({ at, day }: { at: string; day: boolean }) {
  const { locale } = useFormats();
  return (
    <time dateTime={at}>
      {new Date(at).toLocaleString(locale, day ? { ...date, timeZone: "UTC" } : { ...date, hour: "2-digit", minute: "2-digit" })}
    </time>
  );
}
