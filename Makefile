# build for this machine, test everything, pack a release into dist/.

DIST ?= dist
ARCHS ?= amd64 arm64

.PHONY: build test dist clean

# Without git both are empty, and --version says that the revision is unknown.
REVISION = $(shell git describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null)
DATE = $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%d 2>/dev/null)

build:
	go build -tags urfave_cli_no_docs -ldflags '-X main.revision=$(REVISION) -X main.date=$(DATE)' -o renew_mnetkeys .

test:
	./test.sh

dist:
	packaging/dist.sh $(DIST) $(ARCHS)

clean:
	rm -rf renew_mnetkeys dist
