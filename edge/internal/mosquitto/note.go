package mosquitto

import "fmt"

// Note says what was not done as the file says, and why.
type Note struct {
	// File is passwd, dynsec or hub.
	File string `json:"file"`
	// Line in a password file, from 1; 0 elsewhere.
	Line int `json:"line,omitempty"`
	// Entry is what it is about, such as "client btn-001".
	Entry   string `json:"entry"`
	Problem string `json:"problem"`
}

// String is the note for people.
func (n Note) String() string {
	at := n.File
	if n.Line > 0 {
		at = fmt.Sprintf("%s line %d", n.File, n.Line)
	}
	return fmt.Sprintf("%s: %s: %s", at, n.Entry, n.Problem)
}
