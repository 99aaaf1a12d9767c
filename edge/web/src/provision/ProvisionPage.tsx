import { useNavigate, useSearch } from "@tanstack/react-router";
import { useT } from "../context";
import { provision } from "../messages/provision";
import { BackLink } from "../shell/BackLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { Joining } from "./Joining";
import { NewDevice } from "./NewDevice";
import { OpenTokens } from "./OpenTokens";
import { ReplaceDevice } from "./ReplaceDevice";

/** Adds a device, or gives a device other hardware: from what it is to a press that rings. */
export function ProvisionPage() {
  const t = useT(provision);
  const { replace, token } = useSearch({ from: "/mqtt/devices/provision" });
  const navigate = useNavigate({ from: "/mqtt/devices/provision" });
  const show = (id: string | undefined) =>
    void navigate({ search: { ...(replace ? { replace } : {}), ...(id ? { token: id } : {}) } });
  return (
    <Page title={t(replace ? "provision.replace" : "provision.title")}>
      {replace ? (
        <BackLink to="/mqtt/devices/$deviceId" params={{ deviceId: replace }}>{replace}</BackLink>
      ) : (
        <BackLink to="/mqtt/devices">{t("device.back")}</BackLink>
      )}
      <Guard needs="provision.write">
        {token ? (
          <Joining key={token} tokenId={token} onAgain={show} />
        ) : (
          <div className="mx-auto flex max-w-3xl flex-col gap-6">
            {replace ? <ReplaceDevice deviceId={replace} onMade={show} /> : <NewDevice onMade={show} />}
            <OpenTokens onShow={show} />
          </div>
        )}
      </Guard>
    </Page>
  );
}
