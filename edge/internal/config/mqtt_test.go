package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/obedio/obedio/shared/fleet"
)

func TestMQTT_EverySettingIsMoreThanZeroOrNamed(t *testing.T) {
	var m MQTT
	v := reflect.ValueOf(&m).Elem()
	little := func(f reflect.Value) {
		if f.CanFloat() {
			f.SetFloat(0.5)
		} else {
			f.SetInt(1)
		}
	}
	for i := range v.NumField() {
		little(v.Field(i))
	}
	if err := m.check(); err != nil {
		t.Fatal(err)
	}
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("name")
		v.Field(i).SetZero()
		if err := m.check(); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "--"+name+" ") {
			t.Errorf("%s: %v", name, err)
		}
		little(v.Field(i))
	}
}
