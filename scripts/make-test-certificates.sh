#!/bin/sh
# Makes the certificates of the tests anew, in __test__/support/certificates. It needs OpenSSL 3.0: later versions make no
# certificates of version 1 any more. They are valid for a hundred years, but for those that are not meant to be.
set -eu
cd "$(dirname "$0")/../__test__/support/certificates"
rm -f ./*.crt ./*.key ./*.crl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

touch "$work/index.txt"
echo 01 >"$work/serial"
echo 01 >"$work/crlnumber"
cat >"$work/ca.conf" <<EOF
[ca]
default_ca = books
[books]
database = $work/index.txt
serial = $work/serial
crlnumber = $work/crlnumber
new_certs_dir = $work
default_md = sha256
policy = any
default_crl_days = 36500
unique_subject = no
[any]
commonName = supplied
EOF

ec_key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }
rsa_key() { openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key"; }
# name, subject, issuer or nothing for itself, extensions, further arguments: a certificate for NAME.key
issue() {
  name=$1 subject=$2 issuer=$3 extensions=$4
  shift 4
  openssl req -new -key "$name.key" -subj "/CN=$subject" -out "$work/request"
  cp "$work/ca.conf" "$work/with.conf"
  if [ -n "$extensions" ]; then
    printf 'x509_extensions = more\n[more]\n%b\n' "$extensions" >"$work/more"
    # The name of the section belongs to that of the books.
    sed "/^unique_subject/r $work/more" "$work/ca.conf" | sed '/^\[any\]/,$d' >"$work/with.conf"
    printf '[any]\ncommonName = supplied\n' >>"$work/with.conf"
  fi
  if [ -n "$issuer" ]; then by="-cert $issuer.crt -keyfile $issuer.key"; else by="-selfsign -keyfile $name.key"; fi
  # shellcheck disable=SC2086
  openssl ca -batch -notext -config "$work/with.conf" $by -in "$work/request" -out "$name.crt" \
    -startdate "${from:-20200101000000Z}" -enddate "${to:-21200101000000Z}" "$@" 2>"$work/errors" || cat "$work/errors"
}
authority() {
  ec_key "$1"
  issue "$1" "$2" '' 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
}
server='extendedKeyUsage=serverAuth\nsubjectAltName='

authority ca 'oxpg test CA'
authority other-ca 'another test CA'
authority same-name-ca 'oxpg test CA'
ec_key intermediate
issue intermediate 'oxpg test intermediate CA' ca 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign'

rsa_key server
issue server localhost ca "${server}DNS:localhost,IP:127.0.0.1"
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out server-sha384.key
issue server-sha384 localhost ca "${server}DNS:localhost,IP:127.0.0.1" -md sha384
ec_key server-sha224
issue server-sha224 localhost ca "${server}DNS:localhost,IP:127.0.0.1" -md sha224
openssl genpkey -quiet -algorithm ED25519 -out ed25519-ca.key
issue ed25519-ca 'oxpg Ed25519 CA' '' 'basicConstraints=critical,CA:TRUE' -md null
openssl genpkey -quiet -algorithm ED25519 -out server-ed25519.key
issue server-ed25519 localhost ed25519-ca 'subjectAltName=DNS:localhost,IP:127.0.0.1' -md null
for name in server-chain server-other-name server-cn-only server-expired server-future server-revoked server-client-only \
  server-below-leaf; do ec_key "$name"; done
issue server-chain localhost intermediate "${server}DNS:localhost,IP:127.0.0.1"
cat intermediate.crt >>server-chain.crt
issue server-other-name db.example.com ca "${server}DNS:db.example.com,DNS:*.example.org"
issue server-cn-only localhost ca 'extendedKeyUsage=serverAuth'
issue server-client-only localhost ca 'extendedKeyUsage=clientAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1'
issue server-revoked localhost ca "${server}DNS:localhost,IP:127.0.0.1"
# Signed by a certificate that is not an authority's.
issue server-below-leaf localhost server "${server}DNS:localhost,IP:127.0.0.1"
cat server.crt >>server-below-leaf.crt
# A key that RSASSA-PSS alone may sign with.
openssl genpkey -quiet -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out server-pss.key
issue server-pss localhost ca "${server}DNS:localhost,IP:127.0.0.1"
# An authority by its keyUsage alone: good for a root, and for nothing below one.
for name in server-below-key-usage key-usage key-usage-ca server-key-usage; do ec_key "$name"; done
issue key-usage 'oxpg key usage CA' ca 'keyUsage=critical,keyCertSign'
issue server-below-key-usage localhost key-usage "${server}DNS:localhost,IP:127.0.0.1"
cat key-usage.crt >>server-below-key-usage.crt
issue key-usage-ca 'oxpg key usage root' '' 'keyUsage=critical,keyCertSign'
issue server-key-usage localhost key-usage-ca "${server}DNS:localhost,IP:127.0.0.1"
# As OpenSSL says for what a root is trusted.
openssl x509 -in ca.crt -trustout -addtrust serverAuth -out ca-trusted.crt
openssl x509 -in ca.crt -trustout -addtrust clientAuth -out ca-trusted-for-clients.crt
openssl x509 -in ca.crt -trustout -addreject serverAuth -out ca-rejected.crt
# Below twelve authorities.
ec_key server-deep
above=ca
for depth in 1 2 3 4 5 6 7 8 9 10 11 12; do
  cp server-deep.key "deep-$depth.key"
  issue "deep-$depth" "oxpg deep CA $depth" "$above" 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'
  above=deep-$depth
done
issue server-deep localhost deep-12 "${server}DNS:localhost,IP:127.0.0.1"
for depth in 12 11 10 9 8 7 6 5 4 3 2 1; do cat "deep-$depth.crt" >>server-deep.crt; done
rm -f deep-*
# Version 1, without extensions.
rsa_key server-v1
issue server-v1 localhost ca ''
# What `openssl req -x509` makes: a server that is an authority, and its own.
ec_key server-self-signed
issue server-self-signed localhost '' 'basicConstraints=critical,CA:TRUE\nsubjectAltName=DNS:localhost,IP:127.0.0.1'
from=20200101000000Z to=20200201000000Z
issue server-expired localhost ca "${server}DNS:localhost,IP:127.0.0.1"
from=20900101000000Z to=20910101000000Z
issue server-future localhost ca "${server}DNS:localhost,IP:127.0.0.1"
from='' to=''
by_ca() { openssl ca -config "$work/ca.conf" -cert ca.crt -keyfile ca.key "$@" 2>/dev/null; }
by_ca -gencrl -crl_lastupdate 20200101000000Z -crl_nextupdate 21200101000000Z -out empty.crl
by_ca -revoke server-revoked.crt
by_ca -gencrl -crl_lastupdate 20200101000000Z -crl_nextupdate 21200101000000Z -out revoked.crl

ec_key client
issue client certuser ca 'extendedKeyUsage=clientAuth'
ec_key client-unknown
issue client-unknown certuser other-ca 'extendedKeyUsage=clientAuth'
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out client-p521.key
issue client-p521 certuser ca 'extendedKeyUsage=clientAuth'
rsa_key client-rsa
issue client-rsa certuser ca 'extendedKeyUsage=clientAuth'
# Other forms of the same keys; the encrypted ones open with "opensesame".
openssl rsa -in client-rsa.key -traditional -out client-rsa-pkcs1.key 2>/dev/null
openssl rsa -in client-rsa.key -traditional -aes256 -passout pass:opensesame -out client-rsa-aes256.key 2>/dev/null
openssl rsa -in client-rsa.key -traditional -des3 -passout pass:opensesame -out client-rsa-des3.key 2>/dev/null
openssl ec -in client.key -out client-sec1.key 2>/dev/null
openssl ec -in client.key -aes128 -passout pass:opensesame -out client-sec1-aes128.key 2>/dev/null
openssl pkcs8 -topk8 -in client.key -passout pass:opensesame -out client-pkcs8-encrypted.key
openssl pkcs8 -topk8 -in client.key -scrypt -passout pass:opensesame -out client-pkcs8-scrypt.key
openssl pkcs8 -topk8 -in client.key -v1 PBE-SHA1-3DES -passout pass:opensesame -out client-pkcs8-3des.key
openssl pkcs8 -topk8 -in client.key -v1 PBE-SHA1-2DES -passout pass:opensesame -out client-pkcs8-2des.key
rm -f other-ca.key same-name-ca.key intermediate.key ed25519-ca.key key-usage.key key-usage-ca.key
