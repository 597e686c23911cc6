// An event enters the mesh, from Go, with nothing of Plexus:
//
//	go run -C examples/01-publish/go .
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

func read(file string) string {
	state := os.Getenv("PLEXUS_STATE_DIR")
	if state == "" {
		state = "../../../.plexus"
	}
	text, err := os.ReadFile(filepath.Join(state, file))
	if err != nil {
		log.Fatalf("No mesh runs here (%v). Start one with `npm start`.", err)
	}
	return strings.TrimSpace(string(text))
}

func main() {
	var mesh struct{ Nats string }
	if err := json.Unmarshal([]byte(read("mesh.json")), &mesh); err != nil {
		log.Fatal(err)
	}
	// Answers (the receipt of the stream is one) arrive where this integrator may listen.
	connection, err := nats.Connect(mesh.Nats, nats.UserInfo("demo", read("credentials/demo.password")), nats.CustomInboxPrefix("_INBOX_.default.demo"))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	id := fmt.Sprintf("go-%d", time.Now().UnixNano())
	event, _ := json.Marshal(map[string]any{
		"specversion": "1.0",
		"id":          id,
		"source":      "/demo",
		"type":        "demo.import-finished",
		"data":        map[string]string{"summary": "4,212 rows imported, says Go", "caseId": "case-7"},
	})
	stream, err := connection.JetStream()
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := stream.Publish("plexus.in.default.demo.import-finished.v1.case-7", event, nats.MsgId("default:/demo:"+id))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("stored as %s %d\n", receipt.Stream, receipt.Sequence)
}
