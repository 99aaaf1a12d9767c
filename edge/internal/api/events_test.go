package api

import (
	"testing"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

func TestMayHear_CrewIsToldOfTheCrewAndNotOfSecurity(t *testing.T) {
	crew := account.HubPolicy().Actions(account.Crew)
	may := map[account.Action]bool{}
	for _, a := range crew {
		may[a] = true
	}
	for kind, want := range map[fleet.DocumentKind]bool{
		fleet.DocumentPerson: true, fleet.DocumentTeam: true, fleet.DocumentShift: true, fleet.DocumentOverride: true, fleet.DocumentHandover: true,
		fleet.DocumentService: true, fleet.DocumentPressProfile: true, fleet.DocumentEscalation: true,
		fleet.DocumentProfile: false, fleet.DocumentACL: false, fleet.DocumentConfiguration: false, fleet.DocumentNotification: true, // screens sound by the rules
		"a kind to come": false,
	} {
		if got := may[mayHear(kind)]; got != want {
			t.Errorf("a document of kind %s: crew is told %t, want %t", kind, got, want)
		}
	}
}
