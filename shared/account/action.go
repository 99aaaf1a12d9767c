package account

import "slices"

// Action is one named thing that a subject may be allowed to do. The list is
// closed: a route or an event names one of these.
type Action string

// The actions.
const (
	RequestsRead     Action = "requests.read"
	RequestsWrite    Action = "requests.write" // open one by hand, open one again
	RequestsAccept   Action = "requests.accept"
	RequestsComplete Action = "requests.complete"
	RequestsCancel   Action = "requests.cancel"
	RequestsDelegate Action = "requests.delegate"

	DevicesRead  Action = "devices.read"
	DevicesWrite Action = "devices.write"
	RoomsRead    Action = "rooms.read"
	RoomsWrite   Action = "rooms.write"

	CommandsRead   Action = "commands.read"
	CommandsSend   Action = "commands.send"
	CommandsCancel Action = "commands.cancel"
	JobsRead       Action = "jobs.read"
	OrdersRead     Action = "orders.read"
	OrdersWrite    Action = "orders.write"

	CrewRead         Action = "crew.read"
	CrewWrite        Action = "crew.write" // people on duty, teams, shifts, their PINs
	TabletsWrite     Action = "tablets.write"
	AlertsRead       Action = "alerts.read"
	AlertsAck        Action = "alerts.acknowledge"
	EventsRead       Action = "events.read"
	TrafficRead      Action = "traffic.read"
	TrafficPayloads  Action = "traffic.payloads" // what is in the messages, not only that they passed
	TrafficPublish   Action = "traffic.publish"
	ProvisionWrite   Action = "provision.write"
	SecurityRead     Action = "security.read"
	SecurityWrite    Action = "security.write"
	AuditRead        Action = "audit.read"
	SyncRead         Action = "sync.read"
	SyncControl      Action = "sync.control"
	SystemRead       Action = "system.read"
	SystemWrite      Action = "system.write"
	BackupsWrite     Action = "backups.write"
	MetricsRead      Action = "metrics.read"
	SitesRead        Action = "sites.read"
	SitesWrite       Action = "sites.write"
	TemplatesRead    Action = "templates.read"
	TemplatesWrite   Action = "templates.write"
	UsersRead        Action = "users.read"
	UsersWrite       Action = "users.write"
	TokensWrite      Action = "tokens.write"
	SessionsOwn      Action = "sessions.own" // one's own sessions and who one is
	SessionsOfOthers Action = "sessions.others"
)

// Actions are all actions, in the order of their declaration.
func Actions() []Action {
	return []Action{
		RequestsRead, RequestsWrite, RequestsAccept, RequestsComplete, RequestsCancel, RequestsDelegate,
		DevicesRead, DevicesWrite, RoomsRead, RoomsWrite,
		CommandsRead, CommandsSend, CommandsCancel, JobsRead, OrdersRead, OrdersWrite,
		CrewRead, CrewWrite, TabletsWrite, AlertsRead, AlertsAck, EventsRead, TrafficRead, TrafficPayloads, TrafficPublish,
		ProvisionWrite, SecurityRead, SecurityWrite, AuditRead, SyncRead, SyncControl,
		SystemRead, SystemWrite, BackupsWrite, MetricsRead, SitesRead, SitesWrite,
		TemplatesRead, TemplatesWrite, UsersRead, UsersWrite, TokensWrite,
		SessionsOwn, SessionsOfOthers,
	}
}

// Known reports whether a is one of Actions.
func (a Action) Known() bool { return slices.Contains(Actions(), a) }
