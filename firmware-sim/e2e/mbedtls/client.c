/* A device with a small TLS library: it connects with its certificate, says
 * CONNECT and prints the return code of the CONNACK.
 * client HOST PORT ANCHORS CERTIFICATE KEY CLIENT_ID */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(const char *what, int code) {
	char text[128];
	if (code >= 0) return;
	mbedtls_strerror(code, text, sizeof text);
	fprintf(stderr, "%s: %s\n", what, text);
	exit(1);
}

int main(int n, char **arg) {
	mbedtls_net_context net;
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	mbedtls_x509_crt anchors, own;
	mbedtls_pk_context key;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	unsigned char hello[256], answer[4];
	size_t id, got = 0;

	if (n != 7 || (id = strlen(arg[6])) > 64) return 2;
	mbedtls_net_init(&net);
	mbedtls_ssl_init(&ssl);
	mbedtls_ssl_config_init(&conf);
	mbedtls_x509_crt_init(&anchors);
	mbedtls_x509_crt_init(&own);
	mbedtls_pk_init(&key);
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&random);
	must("random", mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0));
	must("anchors", mbedtls_x509_crt_parse_file(&anchors, arg[3]));
	must("certificate", mbedtls_x509_crt_parse_file(&own, arg[4]));
	must("key", mbedtls_pk_parse_keyfile(&key, arg[5], NULL));
	must("connect", mbedtls_net_connect(&net, arg[1], arg[2], MBEDTLS_NET_PROTO_TCP));
	must("settings", mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT));
	mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(&conf, &anchors, NULL);
	mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &random);
	must("own certificate", mbedtls_ssl_conf_own_cert(&conf, &own, &key));
	must("setup", mbedtls_ssl_setup(&ssl, &conf));
	must("name", mbedtls_ssl_set_hostname(&ssl, "hub.obedio.internal"));
	mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
	must("handshake", mbedtls_ssl_handshake(&ssl));

	/* MQTT 3.1.1, clean session, keepalive 60 s; the certificate says who it is. */
	memcpy(hello, "\x10\x00\x00\x04MQTT\x04\x02\x00\x3c\x00", 13);
	hello[1] = (unsigned char)(12 + id);
	hello[13] = (unsigned char)id;
	memcpy(hello + 14, arg[6], id);
	must("CONNECT", mbedtls_ssl_write(&ssl, hello, 14 + id));
	while (got < sizeof answer) {
		int more = mbedtls_ssl_read(&ssl, answer + got, sizeof answer - got);
		must("CONNACK", more == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : more);
		got += (size_t)more;
	}
	if (answer[0] != 0x20 || answer[1] != 2) return 1;
	printf("%s %s connack %d\n", mbedtls_ssl_get_version(&ssl), mbedtls_ssl_get_ciphersuite(&ssl), answer[3]);
	mbedtls_ssl_close_notify(&ssl);
	return 0;
}
