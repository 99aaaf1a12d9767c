package join

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/obedio/obedio/shared/fleet"
)

// Payload is what a device reads in a provisioning QR code, version 2.0.
type Payload struct {
	Version           string           `json:"version"`
	Protocol          string           `json:"protocol"`
	Token             string           `json:"token"`
	Site              fleet.SiteID     `json:"site"`
	Room              fleet.RoomID     `json:"room"`
	DeviceType        fleet.DeviceType `json:"deviceType"`
	MQTTBrokerURL     string           `json:"mqttBrokerUrl"`
	AnchorsURL        string           `json:"certificateDownloadUrl"`
	ConfigurationHash string           `json:"configurationHash"`
	EnrolURL          string           `json:"enrollUrl"`
	// CAFingerprint is the SHA-256 of the authority's certificate.
	CAFingerprint string `json:"caFingerprint"`
}

// ParsePayload reads a QR code's text. fleet.ErrInvalid says what is wrong with
// it.
func ParsePayload(text []byte) (Payload, error) {
	var p Payload
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("%w: QR code: %w", fleet.ErrInvalid, err)
	}
	_, kind := fleet.ParseDeviceType(string(p.DeviceType))
	_, site := fleet.ParseSiteID(string(p.Site))
	_, room := fleet.ParseRoomID(string(p.Room))
	err := errors.Join(kind, site, room)
	mark, hexErr := hex.DecodeString(p.CAFingerprint)
	switch {
	case p.Version != "2.0" || p.Protocol != "mqtt":
		err = fmt.Errorf("version %q, protocol %q: this firmware knows 2.0 and mqtt", p.Version, p.Protocol)
	case p.Token == "":
		err = errors.New("no token")
	case hexErr != nil || len(mark) != 32:
		err = errors.New("caFingerprint is not 64 hexadecimal digits")
	case !address(p.EnrolURL, "https", "http") || !address(p.AnchorsURL, "https", "http"):
		err = fmt.Errorf("enrollUrl %q, certificateDownloadUrl %q: want https://…", p.EnrolURL, p.AnchorsURL)
	case !address(p.MQTTBrokerURL, "mqtts", "mqtt", "wss", "ws"):
		err = fmt.Errorf("mqttBrokerUrl %q: want mqtts://…", p.MQTTBrokerURL)
	}
	if err != nil {
		return p, fmt.Errorf("%w: QR code: %w", fleet.ErrInvalid, err)
	}
	return p, nil
}

func address(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme)
}
