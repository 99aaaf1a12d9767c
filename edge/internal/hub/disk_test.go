package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	paho "github.com/eclipse/paho.golang/paho"

	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/edge/internal/support"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
)

const mb = 1 << 20

// smallDisk is a file system with little room.
type smallDisk struct {
	dir   string
	fs    store.FileSystem
	usage func(string) (disk.Usage, error)
}

const smallDiskDir = "OBEDIO_TEST_SMALL_DISK"

// onSmallDisk runs story on a real file system of so many megabytes: in this
// test program once more, alone in its own mount namespace (and user namespace,
// when it is not root). Where a machine allows no mounts, the file system is a
// directory with a quota, which fails the store's writes as a full disk does.
func onSmallDisk(t *testing.T, megabytes int, story func(*testing.T, smallDisk)) {
	if dir := os.Getenv(smallDiskDir); dir != "" {
		if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
			t.Fatalf("cannot mount: %v", err)
		}
		story(t, smallDisk{dir: dir, usage: disk.Statfs})
		return
	}
	mount := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	mount.Env = append(os.Environ(), smallDiskDir+"="+t.TempDir())
	mount.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		mount.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		mount.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		mount.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := mount.CombinedOutput()
	switch text := string(out); {
	case err == nil:
		t.Log(text)
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EINVAL), strings.Contains(text, "cannot mount"):
		t.Logf("no mounts here (%v): a directory with a quota instead", err)
		story(t, quota(t.TempDir(), uint64(megabytes)*mb))
	default:
		t.Fatalf("%v\n%s", err, text)
	}
}

// quota is a directory that holds so many bytes.
func quota(dir string, total uint64) smallDisk {
	usage := func(string) (disk.Usage, error) {
		var used uint64
		err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil //nolint:nilerr // what goes away meanwhile takes no room
			}
			if i, err := e.Info(); err == nil {
				used += uint64(i.Size())
			}
			return nil
		})
		return disk.Usage{Free: total - min(used, total), Total: total}, err
	}
	return smallDisk{dir: dir, usage: usage, fs: errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpCreate:
			if u, err := usage(""); err != nil || u.Free == 0 {
				return syscall.ENOSPC
			}
		}
		return nil
	}))}
}

// fill writes a file beside the hub's data, as large as leaves so much room of
// what there is now: room that the hub makes meanwhile is the hub's.
func (d smallDisk) fill(t *testing.T, leave uint64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(d.dir, "filler"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	u, err := d.usage(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	left := int64(u.Free) - int64(leave)
	for block := int64(1 << 20); block >= 4096 && left > 0; {
		n, err := f.Write(make([]byte, min(block, left)))
		left -= int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			block /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func (d smallDisk) empty(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(d.dir, "filler")); err != nil {
		t.Fatal(err)
	}
}

// history notes whether it is paused.
type history struct{ paused atomic.Bool }

func (h *history) Pause(on bool) { h.paused.Store(on) }

// fullHub is a hub on a small disk, with one button that presses.
type fullHub struct {
	fleettest.Caller
	*Hub
	history *history
	button  *paho.Client
	stop    func()
}

func startFull(t *testing.T, d smallDisk) *fullHub {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(t.Context(), Config{
		Settings: support.Settings(struct {
			Secret   string `name:"webhook-secret"`
			Password string `name:"password-file"`
		}{"PlantedSetting5", "/etc/obedio/passphrase"}),
		Data: filepath.Join(d.dir, "data"), Site: "yacht-1", Listeners: Listeners{MQTT: l, HTTP: web}, FS: d.fs, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Disk: disk.Config{
			Usage: d.usage, Floor: 8 * mb, Ballast: 16 * mb, StartNeeds: 4 * mb, Every: 20 * time.Millisecond, Fresh: time.Nanosecond,
		},
	})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	out := newFull(t, h)
	h.disk.Tell(out.history)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	<-h.Ready()
	out.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the hub ended with %v", err)
		}
	})
	t.Cleanup(out.stop)
	return out
}

func newFull(t *testing.T, h *Hub) *fullHub {
	return &fullHub{Caller: fleettest.Caller{T: t, Local: h.API().LocalServer()}, Hub: h, history: &history{}}
}

func (h *fullHub) connect() { h.connectWith(func(*paho.Publish) {}) }

func (h *fullHub) connectWith(got func(*paho.Publish)) {
	h.T.Helper()
	conn, err := net.Dial("tcp", h.c.Listeners.MQTT.Addr().String())
	if err != nil {
		h.T.Fatal(err)
	}
	h.button = paho.NewClient(paho.ClientConfig{
		Conn: conn, PacketTimeout: 20 * time.Second, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
			func(r paho.PublishReceived) (bool, error) { got(r.Packet); return true, nil },
		},
	})
	if _, err := h.button.Connect(h.T.Context(), &paho.Connect{
		ClientID: "btn-001", Username: "btn-001", UsernameFlag: true, Password: []byte(password), PasswordFlag: true, CleanStart: true, KeepAlive: 60,
	}); err != nil {
		h.T.Fatal(err)
	}
	// The hub hears of a connection after the client has its CONNACK.
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, ok := h.broker.Connected("btn-001"); ok {
			return
		}
		if time.Now().After(limit) {
			h.T.Fatal("not connected")
		}
	}
}

const password = "a-long-enough-password"

// press presses, and returns the reason code of the answer.
func (h *fullHub) press(n uint64) byte {
	h.T.Helper()
	r, err := h.button.Publish(h.T.Context(), pressOf(n))
	if r == nil {
		h.T.Fatalf("press %d: %v", n, err)
	}
	return r.ReasonCode
}

func pressOf(n uint64) *paho.Publish {
	return &paho.Publish{
		QoS: 1, Topic: "obedio/yacht-1/cabin-101/button/btn-001/press",
		Payload: fmt.Appendf(nil, `{"device_id":"btn-001","press_type":"single","sequence_id":%d,"boot_id":"b1"}`, n),
	}
}

// historyStops waits until history stops or goes on: it is told after the level
// has changed.
func (h *fullHub) historyStops(want bool) {
	h.T.Helper()
	for end := time.Now().Add(20 * time.Second); h.history.paused.Load() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.T.Fatalf("history stops: %t, want %t", !want, want)
		}
	}
}

// reach waits for a level; the ballast is there or not.
func (h *fullHub) reach(want disk.Level, ballast bool) {
	h.T.Helper()
	ctx, cancel := context.WithTimeout(h.T.Context(), 20*time.Second)
	defer cancel()
	changes := h.disk.Changes()
	r := changes.Subscribe(changes.Head())
	for {
		s := h.disk.Status()
		if s.Level == want && (s.Ballast > 0) == ballast {
			break
		}
		if _, err := r.Next(ctx); err != nil {
			h.T.Fatalf("want level %s, have %s with %d MB free and a ballast of %d MB", want, s.Level, s.Free/mb, s.Ballast/mb)
		}
	}
	var v struct {
		Storage struct {
			Level string `json:"level"`
			Free  uint64 `json:"free_bytes"`
		} `json:"storage"`
	}
	h.Call("GET", "/api/v1/system", nil, &v)
	if v.Storage.Level != want.String() {
		h.T.Errorf("GET /system says %+v at level %s", v.Storage, want)
	}
}

func (h *fullHub) addDevice(id string) int {
	h.T.Helper()
	code, body := h.Try("POST", "/api/v1/devices", map[string]any{"device_id": id, "type": "button", "room": "cabin-101", "password": password}, nil)
	if code >= 400 && code != http.StatusInsufficientStorage {
		h.T.Fatalf("add %s: %d %s", id, code, body)
	}
	return code
}

func (h *fullHub) sendCommand() int {
	h.T.Helper()
	code, _ := h.Try("POST", "/api/v1/devices/btn-001/command", map[string]any{"name": "reset"}, nil)
	return code
}

// History stops first, calls and commands go on from the reserve, the hub starts
// on the full disk, and all recovers alone.
func TestF5_CallsAndCommandsGoOnLongestWhileTheDiskFills(t *testing.T) {
	onSmallDisk(t, 96, func(t *testing.T, d smallDisk) {
		var acknowledged []uint64
		n := uint64(0)
		mustPress := func(h *fullHub) {
			t.Helper()
			n++
			if code := h.press(n); code != 0 {
				t.Fatalf("press %d is refused with %#x at level %s", n, code, h.disk.Status().Level)
			}
			acknowledged = append(acknowledged, n)
		}
		mustRefuse := func(h *fullHub) {
			t.Helper()
			n++
			if code := h.press(n); code != 0x97 {
				t.Fatalf("press %d is answered with %#x at level %s, want 0x97 (quota exceeded)", n, code, h.disk.Status().Level)
			}
		}

		h := startFull(t, d)
		h.addDevice("btn-001")
		h.connect()
		mustPress(h)
		h.reach(disk.Ample, true)

		d.fill(t, 20*mb)
		h.reach(disk.HistoryStops, true)
		h.historyStops(true)
		if code := h.addDevice("btn-002"); code >= 400 {
			t.Errorf("a device cannot be added: %d", code)
		}
		mustPress(h)

		d.fill(t, 12*mb)
		h.reach(disk.EssentialOnly, true)
		if code := h.addDevice("btn-003"); code != http.StatusInsufficientStorage {
			t.Errorf("a device is added: %d", code)
		}
		mustPress(h)
		if code := h.sendCommand(); code >= 400 {
			t.Errorf("a command cannot be sent: %d", code)
		}

		d.fill(t, 6*mb)
		h.reach(disk.EssentialOnly, false)
		for range 50 {
			mustPress(h)
		}
		if code := h.sendCommand(); code >= 400 {
			t.Errorf("a command cannot be sent from the reserve: %d", code)
		}

		d.fill(t, 6*mb)
		h.reach(disk.HardStop, false)
		mustRefuse(h)
		if code := h.sendCommand(); code != http.StatusInsufficientStorage {
			t.Errorf("a command is answered with %d on a full disk", code)
		}
		h.Call("GET", "/api/v1/requests", nil, nil)

		h.stop()
		d.fill(t, 6*mb) // a stopped hub takes less
		h = startFull(t, d)
		h.connect()
		d.fill(t, 6*mb) // the engine's old logs are gone
		h.reach(disk.HardStop, false)
		mustRefuse(h)
		d.fill(t, 0) // somebody else takes the last of it
		mustRefuse(h)
		h.Call("GET", "/api/v1/requests", nil, nil)

		d.empty(t)
		h.reach(disk.Ample, true)
		h.historyStops(false)
		mustPress(h)
		if code := h.addDevice("btn-003"); code >= 400 {
			t.Errorf("a device cannot be added: %d", code)
		}

		h.stop()
		d.fill(t, 0) // while the hub is off
		h = startFull(t, d)
		h.reach(disk.EssentialOnly, false)
		h.connect()
		mustPress(h)
		d.empty(t)
		h.reach(disk.Ample, true)

		kept := map[uint64]bool{}
		presses, err := h.Store().PressesOf("btn-001")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range presses {
			kept[p.SequenceID] = true
		}
		for _, n := range acknowledged {
			if !kept[n] {
				t.Errorf("press %d was acknowledged and is lost", n)
			}
		}
		if len(kept) != len(acknowledged) {
			t.Errorf("%d presses are kept, %d were acknowledged", len(kept), len(acknowledged))
		}
	})
}

// A disk that is full to the last byte and has no ballast left: the hub says
// what it needs, and starts when it has that.
func TestF5_StartOnADiskWithoutAnyRoomSaysWhatIsNeeded(t *testing.T) {
	onSmallDisk(t, 96, func(t *testing.T, d smallDisk) {
		d.fill(t, 0)
		c := Config{Data: d.dir, Site: "yacht-1", FS: d.fs, Disk: disk.Config{Usage: d.usage}}
		if _, err := New(t.Context(), c); !errors.Is(err, fleet.ErrFull) {
			t.Fatalf("start: %v", err)
		}
		d.empty(t)
		h, err := New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A write fails under a whole hub: presses are not acknowledged any more, and
// the hub ends with the error, so that its supervisor starts it again.
func TestF6_HubEndsWithTheDiskErrorAndAcknowledgesNothingAfterIt(t *testing.T) {
	var broken atomic.Bool
	disk := vfs.NewCrashableMem()
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			if broken.Load() {
				return errorfs.ErrInjected
			}
		}
		return nil
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(t.Context(), Config{Data: "data", Site: "yacht-1", Listeners: Listeners{MQTT: l}, FS: fs, StopWithin: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- h.Run(context.WithoutCancel(t.Context())) }()
	<-h.Ready()
	f := newFull(t, h)
	f.addDevice("btn-001")
	f.connect()
	if code := f.press(1); code != 0 {
		t.Fatalf("press: %#x", code)
	}
	broken.Store(true)
	r, err := f.button.Publish(t.Context(), pressOf(2))
	if err == nil && r.ReasonCode == 0 {
		t.Error("a press was acknowledged after the disk error")
	}
	if err := <-done; !errors.Is(err, errorfs.ErrInjected) {
		t.Errorf("the hub ended with %v", err)
	}
	s, err := store.Open(store.Config{Dir: "data", FS: disk.CrashClone(vfs.CrashCloneCfg{})})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if presses, err := s.PressesOf("btn-001"); err != nil || len(presses) != 1 {
		t.Errorf("%d presses, %v", len(presses), err)
	}
}
