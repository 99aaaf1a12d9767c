import { useWebMessages } from "../i18n/context";
import { Choice } from "../ui/Field";
import { setTheme, themes, useTheme } from "./theme";

export function ThemeChoice() {
  const t = useWebMessages();
  return (
    <Choice
      legend={t("theme.label")}
      value={useTheme()}
      options={themes.map((value) => ({ value, label: t(`theme.${value}`) }))}
      onChange={setTheme}
    />
  );
}
