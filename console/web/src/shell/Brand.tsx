import { classes } from "@obedio/web";
import { useT } from "../context";

/** The product's mark and the program's name. */
export function Brand({ small = false }: { small?: boolean }) {
  const t = useT();
  const size = small ? 24 : 36;
  return (
    <div className={classes("flex items-center gap-3 font-semibold", small ? "text-sm" : "text-lg")}>
      <img src="/favicon.svg" alt="" width={size} height={size} />
      {t("app.name")}
    </div>
  );
}
