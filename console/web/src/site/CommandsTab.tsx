import type { Site } from "../api/resources";
import { useT } from "../context";
import type { SiteData } from "../site-data";
import { CommandList } from "./CommandList";

export function CommandsTab({ site, data }: { site: Site; data: SiteData }) {
  const t = useT();
  return <CommandList siteId={site.site_id} commands={data.commands} title={t("site.tab.commands")} emptyDetail={t("commands.empty.detail")} />;
}
