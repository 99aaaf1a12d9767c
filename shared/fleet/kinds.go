package fleet

// DocumentConfiguration is what a device is wanted to be set to; the document's
// name is the device's id.
const DocumentConfiguration DocumentKind = "configuration"

// The kinds of policy documents that say who answers which calls.
const (
	// DocumentPerson is a member of the crew: the document's name is the person's
	// id.
	DocumentPerson DocumentKind = "person"
	// DocumentTeam is a team of the crew.
	DocumentTeam DocumentKind = "team"
	// DocumentShift says who is on duty when.
	DocumentShift DocumentKind = "shift"
	// DocumentOverride says of one person, until a time, what shifts do not.
	DocumentOverride DocumentKind = "override"
	// DocumentHandover is what one watch tells the next.
	DocumentHandover DocumentKind = "handover"
	// DocumentService is something that guests can call for.
	DocumentService DocumentKind = "service"
	// DocumentPressProfile says what presses of a button mean.
	DocumentPressProfile DocumentKind = "press_profile"
	// DocumentEscalation says who is told when of requests of one priority.
	DocumentEscalation DocumentKind = "escalation"
)
