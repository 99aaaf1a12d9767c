import { useT } from "../context";

/** The product's mark and the program's name. */
export function Brand() {
  const t = useT();
  return (
    <div className="flex items-center gap-3 text-lg font-semibold">
      <img src="/favicon.svg" alt="" width="36" height="36" />
      {t("app.name")}
    </div>
  );
}
