import { Choice } from "../ui/Field";
import { useWebMessages } from "./context";
import { languages, setLanguage, useLanguage, type Language } from "./language";

const options = (Object.keys(languages) as Language[]).map((value) => ({ value, label: languages[value] }));

export function LanguageChoice() {
  const t = useWebMessages();
  return <Choice legend={t("language.label")} value={useLanguage()} options={options} onChange={setLanguage} />;
}
