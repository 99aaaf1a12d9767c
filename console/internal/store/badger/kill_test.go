package badger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/storetest"
)

const killDir = "OBEDIO_TEST_KILL_DIR"

// TestMain is the other process of TestUpdateSite_SurvivesKill when it is told
// to be.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		if err := writeForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeForEver adds orders and prints each number once it was told durable.
func writeForEver(dir string) error {
	s, err := Open(Config{Dir: dir, MemTableBytes: testMemTable})
	if err != nil {
		return err
	}
	for {
		var n uint64
		err := s.UpdateSite(context.Background(), "a", func(tx store.SiteTx) error {
			o, err := tx.AddOrder(storetest.NewOrder(int(time.Now().UnixNano()%1_000_000_000), time.Hour))
			n = o.Number
			return err
		})
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func TestUpdateSite_SurvivesKill(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	storetest.AddSite(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	told := uint64(0)
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := 0; i < 200 && lines.Scan(); i++ {
			n, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			told = n
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			if n, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
				told = n
			}
		}
		_ = cmd.Wait() // it was killed
		s := open(t, Config{Dir: dir})
		err = s.ViewSite(t.Context(), "a", func(v store.SiteView) error {
			m, err := v.Marks()
			if err != nil {
				return err
			}
			if m.Head < told {
				t.Errorf("round %d: %d orders were told durable, %d are there", round, told, m.Head)
			}
			for n := uint64(1); n <= m.Head; n++ {
				if _, found, err := v.Order(n); err != nil || !found {
					t.Fatalf("round %d: order %d of %d is missing: %v", round, n, m.Head, err)
				}
			}
			c, err := v.Counts()
			if err == nil && uint64(c.OrdersPending) != m.Head {
				t.Errorf("round %d: %d orders are counted, %d are there", round, c.OrdersPending, m.Head)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if told < 600 {
		t.Fatalf("only %d orders were written", told)
	}
}
