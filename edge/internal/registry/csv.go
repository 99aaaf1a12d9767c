package registry

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// Imported is what became of one row of a CSV file.
type Imported struct {
	// Line is the row's line in the file, from 1.
	Line     int
	Device   fleet.Device
	Password string
	// Err says what is wrong with the row; the rest is imported all the same.
	Err error
}

var csvColumns = []string{"device_id", "type", "room", "profile", "password", "legacy_device_id"}

// Import registers the devices of a CSV file (RFC 4180) with the columns
// device_id, type, room, profile, password, legacy_device_id in any order,
// named in its first row; the last three may be missing or empty, and a
// password is generated then. fn is called for each row, in order. An error means that the file
// cannot be read or that fn failed.
func (r *Registry) Import(ctx context.Context, by fleet.Actor, file io.Reader, fn func(Imported) error) error {
	in := csv.NewReader(file)
	in.FieldsPerRecord = -1
	in.TrimLeadingSpace = true
	header, err := in.Read()
	if err != nil {
		return fmt.Errorf("%w: read the header row: %w", fleet.ErrInvalid, err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	column := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(csvColumns, name) {
			return fmt.Errorf("%w: column %q: want %s", fleet.ErrInvalid, name, strings.Join(csvColumns, ", "))
		}
		column[name] = i
	}
	for _, name := range csvColumns[:3] {
		if _, ok := column[name]; !ok {
			return fmt.Errorf("%w: column %q is missing", fleet.ErrInvalid, name)
		}
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line, _ := in.FieldPos(0)
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax):
			err = fn(Imported{Line: syntax.Line, Err: fmt.Errorf("%w: %w", fleet.ErrInvalid, syntax.Err)})
		case err != nil:
			return fmt.Errorf("read line %d: %w", line, err)
		default:
			err = fn(r.importRow(ctx, by, line, len(header), row, func(name string) string {
				if i, ok := column[name]; ok && i < len(row) {
					return strings.TrimSpace(row[i])
				}
				return ""
			}))
		}
		if err != nil {
			return err
		}
	}
}

func (r *Registry) importRow(ctx context.Context, by fleet.Actor, line, want int, row []string, field func(string) string) Imported {
	out := Imported{Line: line}
	if len(row) != want {
		out.Err = fmt.Errorf("%w: %d fields: want %d", fleet.ErrInvalid, len(row), want)
		return out
	}
	d := fleet.Device{
		ID: fleet.DeviceID(field("device_id")), Type: fleet.DeviceType(field("type")),
		Room: fleet.RoomID(field("room")), Profile: field("profile"), LegacyID: field("legacy_device_id"),
	}
	p := Password{Chosen: field("password"), Generate: true}
	out.Device, out.Password, out.Err = r.Add(ctx, by, d, p)
	return out
}
