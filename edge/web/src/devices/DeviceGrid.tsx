import { CardGrid } from "@obedio/web";
import { useT } from "../context";
import { DeviceCard, cardHeight } from "./DeviceCard";

const card = (id: string) => <DeviceCard id={id} />;

export function DeviceGrid({ ids }: { ids: readonly string[] }) {
  const t = useT();
  return <CardGrid ids={ids} card={card} minCard={256} cardHeight={cardHeight} gap={16} label={t("devices.title")} testId="device-grid" />;
}
