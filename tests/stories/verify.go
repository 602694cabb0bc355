// Verifies a chain as Go's crypto/x509 does, which fioctl and many gateways build on:
// verify ANCHORS CHAIN for a TLS client, verify ANCHORS CHAIN NAME for a server.
// Prints OK, or the refusal.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func read(path string) (found []*x509.Certificate) {
	rest, err := os.ReadFile(path)
	for err == nil {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return found
		}
		var one *x509.Certificate
		if one, err = x509.ParseCertificate(block.Bytes); err == nil {
			found = append(found, one)
		}
	}
	fmt.Println(path, err)
	os.Exit(1)
	return nil
}

func main() {
	options := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if len(os.Args) > 3 {
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		options.DNSName = os.Args[3]
	}
	for _, one := range read(os.Args[1]) {
		options.Roots.AddCert(one)
	}
	chain := read(os.Args[2])
	for _, one := range chain[1:] {
		options.Intermediates.AddCert(one)
	}
	if _, err := chain[0].Verify(options); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("OK")
}
