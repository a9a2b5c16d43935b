/*
 * galley/tls.h — certificates, keys and rules for TLS 1.2 and 1.3, made once and used by any number
 * of listeners. While a server listens by it that server watches the files: when some are replaced,
 * written, or reached by a link that now leads elsewhere, and it has been quiet for a third of a
 * second, galley_tls_reload() is called on a thread that may wait, and the server's log says what
 * came of it; so it does at its start with those that have changed since they were read. Changes
 * that another machine makes on a network file system cannot be seen.
 *
 * What cannot be configured is the same for everybody: forward secrecy in every handshake, no early
 * data, no renegotiation, no compression, and tickets for resumption that are good for the one
 * host name they were given for.
 */
#ifndef GALLEY_TLS_H
#define GALLEY_TLS_H

#include <galley/http.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Certificates, keys and rules. Make it, give it to listeners, run the server, and free it after
 * the server. Nothing is ever asked of a person: an encrypted key is refused.
 */
typedef struct galley_tls galley_tls;

/**
 * A certificate with its key. Which names it is for is what its subjectAltName says, compared
 * without regard to case, in the form of the wire ("xn--..."); "*.example.org" stands for one
 * label (RFC 9525 §6.3). Several certificates for one name, an RSA and an ECDSA one, stand side by
 * side: each client gets the one it can use.
 */
typedef struct galley_tls_pair {
    const char *cert_file; /* PEM: the certificate, then those that lead to its root           */
    const char *key_file;  /* PEM, not encrypted; NULL: it is in cert_file                     */
    const char *ocsp_file; /* DER: an OCSP response to send along; NULL: none                  */
} galley_tls_pair;

/** Must clients show a certificate? */
enum {
    GALLEY_TLS_CLIENT_OFF = 0,
    GALLEY_TLS_CLIENT_OPTIONAL = 1, /* one that is shown must be good, or the handshake fails */
    GALLEY_TLS_CLIENT_REQUIRED = 2
};

/** A rule for clients that ask for one host; the exact name counts before the wildcard,
 * the longer wildcard before the shorter. */
typedef struct galley_tls_client_rule {
    const char *host;    /* "shop.example.org"; "*.example.org": one label or more, as in
                            routes; "*": every other                                      */
    int mode;            /* GALLEY_TLS_CLIENT_...                                         */
    const char *ca_file; /* PEM: who may have signed it; nobody else, whatever the system */
} galley_tls_client_rule;

/** Which clients are served: those of the last ten years, or of the last five. */
enum {
    GALLEY_TLS_INTERMEDIATE = 0, /* TLS 1.2 and 1.3, Mozilla's "intermediate" but for finite-field
                                    DHE                                                       */
    GALLEY_TLS_MODERN = 1        /* TLS 1.3                                                   */
};

/** Flags of galley_tls_options. */
enum {
    /** Also make a certificate for localhost, 127.0.0.1, ::1 and the name of the machine, for
     * development: clients do not trust it. It lives in memory, for 90 days at most. */
    GALLEY_TLS_SELF_SIGNED = 1u << 0,
    /** Refuse clients that ask for a name that no certificate has, or for none (RFC 6066 §3).
     * Else they get the first certificate. */
    GALLEY_TLS_STRICT_NAMES = 1u << 1,
    /** Do not offer HTTP/2. */
    GALLEY_TLS_NO_HTTP2 = 1u << 2,
    /** Do not offer HTTP/1.1. */
    GALLEY_TLS_NO_HTTP1 = 1u << 3,
    /** Every handshake is a full one. */
    GALLEY_TLS_NO_TICKETS = 1u << 4,
    /** Servers do not watch the files: the program calls galley_tls_reload(). */
    GALLEY_TLS_NO_WATCH = 1u << 5
};

/** Start from GALLEY_TLS_OPTIONS_INIT; zero means the default everywhere. All is copied. */
typedef struct galley_tls_options {
    size_t size;
    /** Ended by a NULL cert_file. The first is the default certificate. At most 1000. */
    const galley_tls_pair *pairs;
    /** Ended by a NULL host; default: no client is asked for a certificate. At most 1000. */
    const galley_tls_client_rule *clients;
    /** More names and addresses for the self-signed certificate; ended by NULL. */
    const char *const *self_signed_names;
    /** GALLEY_TLS_... */
    uint32_t flags;
    /** GALLEY_TLS_INTERMEDIATE or GALLEY_TLS_MODERN. */
    int policy;
    /** How long a ticket is good, 60 s to 7 days; default 12 h. The keys that protect tickets are
     * never stored, and each is used for half as long. */
    uint32_t ticket_lifetime_s;
    /** As in galley_server_options; NULL: silent. */
    int log_level;
    void (*log)(void *ctx, int level, const char *line);
    void *log_ctx;
} galley_tls_options;
#define GALLEY_TLS_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(galley_tls_options), 0, 0, 0, 0, 0, 0, 0, 0, 0                                      \
    }

/**
 * Read and check everything that opt names. A pair is refused when a file is missing, cannot be
 * read or is no PEM, when the key is encrypted, is another certificate's or is weak (RSA below 2048
 * bits), when the certificate is not valid today, and when its chain does not hold together. An
 * OCSP response that is out of date or about another certificate is not sent, and the log says so.
 *
 * Returns NULL with GALLEY_EINVAL (an option, or what is in a file; the sentence names it),
 * GALLEY_ESYS ("certificate /etc/x.pem: No such file or directory") or GALLEY_ENOMEM. Blocks on the
 * file system. Any thread.
 */
GALLEY_API galley_tls *galley_tls_new(const galley_tls_options *opt,
                                      galley_error *err) GALLEY_MUST_CHECK;

/**
 * After the servers that used it have been freed: keys are wiped. NULL is allowed. Any thread; does
 * not block.
 */
GALLEY_API void galley_tls_free(galley_tls *tls);

/**
 * Read all files again and, if every one is as galley_tls_new() wants it, use them for handshakes
 * that begin from now on; connections keep what they have, and tickets stay good unless the rules
 * for clients changed. On failure everything stays as it was.
 *
 * Returns 0, GALLEY_EINVAL (also without tls), GALLEY_ESYS or GALLEY_ENOMEM. Blocks on the file
 * system; not for an event loop. Any thread, while connections are made; calls wait for each other.
 */
GALLEY_API int galley_tls_reload(galley_tls *tls, galley_error *err);

/**
 * The index-th file whose change leads to galley_tls_reload(); each is named once. For those who
 * watch by themselves: where a file is replaced by renaming, it is its directory that changes.
 *
 * Returns a text that is valid until galley_tls_free(), or NULL past the last one. Any thread; does
 * not block.
 */
GALLEY_API const char *galley_tls_file(const galley_tls *tls, unsigned index);

/** A certificate in use, for people: a start's banner, a check of expiry. */
typedef struct galley_tls_certificate_report {
    size_t size;          /* set to sizeof before the call                                  */
    bool is_self_signed;  /* made here, not read                                            */
    int64_t not_before_s; /* since 1970                                                     */
    int64_t not_after_s;  /* since 1970                                                     */
    char key[16];         /* "RSA 2048", "EC 256"                                           */
    char fingerprint[96]; /* SHA-256 of the certificate: "AB:CD:..."                        */
    char names[256];      /* separated by spaces, cut where there are too many              */
} galley_tls_certificate_report;

/**
 * The index-th certificate: the pairs in their order, then the self-signed one.
 *
 * Returns 0, GALLEY_EINVAL (NULL, or report->size too small) or GALLEY_ENOTFOUND past the last one.
 * Any thread; does not block.
 */
GALLEY_API int galley_tls_get_certificate(galley_tls *tls, unsigned index,
                                          galley_tls_certificate_report *report);

/** What is known of the connection that a request came over. */
typedef struct galley_tls_report {
    size_t size;                   /* set to sizeof before the call                              */
    bool is_resumed;               /* by a ticket                                                */
    bool has_client;               /* showed a certificate that the host's authorities signed    */
    galley_str protocol;           /* "TLSv1.3"                                                  */
    galley_str cipher;             /* "TLS_AES_128_GCM_SHA256"                                   */
    galley_str server_name;        /* that the client asked for, as it wrote it; ptr NULL: none  */
    galley_str alpn;               /* "h2" (RFC 7301); ptr NULL: none                            */
    galley_str client_subject;     /* "CN=...", RFC 4514: control bytes and what is not ASCII are
                                      escaped; ptr NULL: none, or over 4 KiB                     */
    galley_str client_names;       /* subjectAltName, "DNS:a.example email:me@a.example": those
                                      that are printable; ptr NULL: none, or over 4 KiB          */
    galley_str client_fingerprint; /* SHA-256 of the certificate, "AB:CD:..."; ptr NULL: none    */
} galley_tls_report;

/**
 * Who a client is that had to show a certificate, and how well it is protected. Fills report, whose
 * texts are valid until the end of the exchange and end in a NUL. A name here is no more than what
 * the authority of the rule for clients has signed.
 *
 * Returns 0; GALLEY_EINVAL (NULL, or report->size too small), GALLEY_ENOTFOUND (not over TLS),
 * GALLEY_ENOMEM. As the other calls on a request: one thread at a time; does not block.
 */
GALLEY_API int galley_req_tls(const galley_request *rq, galley_tls_report *report);

#ifdef __cplusplus
}
#endif
#endif
