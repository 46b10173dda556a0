// Command official prints the official CSI file descriptor as JSON, custom options included.
package main

import (
	"log"
	"os"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protodesc"
)

func main() {
	// The csi package registers its own extensions, so the options are printed by name and not dropped as unknown.
	text, err := protojson.Marshal(protodesc.ToFileDescriptorProto(csi.File_csi_proto))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.Write(text); err != nil {
		log.Fatal(err)
	}
}
