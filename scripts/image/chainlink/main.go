// The chainlink node, from its own module: the official program is built from the same package.
package main

import (
	"os"

	"github.com/smartcontractkit/chainlink/v2/core"
)

func main() {
	os.Exit(core.Main())
}
