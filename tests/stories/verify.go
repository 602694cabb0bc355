// Verifies a device and a gateway as Go's crypto/x509 does, which fioctl, Docker and
// Kubernetes build on: verify ROOT CHAINED GATEWAY NAME. Prints OK, or the refusal.
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

func verify(chain, roots []*x509.Certificate, usage x509.ExtKeyUsage, name string) {
	options := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{usage},
		DNSName:       name,
	}
	for _, one := range roots {
		options.Roots.AddCert(one)
	}
	for _, one := range chain[1:] {
		options.Intermediates.AddCert(one)
	}
	if _, err := chain[0].Verify(options); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	roots := read(os.Args[1])
	verify(read(os.Args[2]), roots, x509.ExtKeyUsageClientAuth, "")
	verify(read(os.Args[3]), roots, x509.ExtKeyUsageServerAuth, os.Args[4])
	fmt.Println("OK")
}
