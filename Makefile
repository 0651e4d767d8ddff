# build for this machine, test everything, pack a release into dist/.

DIST ?= dist
ARCHS ?= amd64 arm64

.PHONY: build test dist clean

build:
	go build -buildvcs=auto -tags urfave_cli_no_docs -o renew_mnetkeys .

test:
	./test.sh

dist:
	packaging/dist.sh $(DIST) $(ARCHS)

clean:
	rm -rf renew_mnetkeys dist
