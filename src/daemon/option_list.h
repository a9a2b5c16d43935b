/* daemon/option_list.h — every option of the program, one row each: the parser, the checks, --help,
 * --print-config, the man page, docs/options.md and the completion for bash come from here, and
 * apply.c hands the values to the library.
 *
 * OPTION(kind, field, where, name, short, argument, usual, min, max, off, group, help)
 *   kind      SWITCH COUNT SIZE TIME TEXT OPTIONAL LIST CHOICE: what may be written, see
 *   option_table.h
 *   field     of struct options; where it goes unchanged, it is called as in the struct that
 *   `where` names
 *   where     SERVER POOL STATIC LOG: apply.c copies it; SELF: the program looks at it
 *   argument  as shown in help; of a CHOICE: the words, separated by |, numbered from min on
 *   usual     the default as one would write it; "" when nothing or something that depends on the
 *   machine
 *   min, max  of the number, in its unit (TIME: ms); of TEXT and LIST unused
 *   off       may it be written "off": no such limit
 * No include guard: it is included several times. */
OPTION(LIST, listen, SELF, "listen", 'l', "ADDRESS", "127.0.0.1:7878", 0, 0, false, SERVING,
       "where to listen: 127.0.0.1:8080, [::1]:8080, :8080 (every address), 8080, unix:/run/x.sock "
       "or fd:3; port 0 is any free port; with TLS: 127.0.0.1:8443,tls; can be given several times")
OPTION(TEXT, index, STATIC, "index", 0, "NAMES", "index.html", 0, 0, false, SERVING,
       "the file that answers for a folder; of several, separated by spaces, the first found")
OPTION(SWITCH, list, SELF, "list", 0, "", "", 0, 0, false, SERVING,
       "answer with a list of files for a folder without an index file")
OPTION(SWITCH, spa, SELF, "spa", 0, "", "", 0, 0, false, SERVING,
       "single-page application: answer with the site's index where a page is not found")
OPTION(SWITCH, clean_urls, SELF, "clean-urls", 0, "", "", 0, 0, false, SERVING,
       "/about is about.html when there is no such file or folder")
OPTION(TEXT, not_found, STATIC, "not-found", 0, "FILE", "404.html", 0, 0, false, SERVING,
       "the page for what is not there, below the folder; \"\" for galley's own")
OPTION(SWITCH, hidden, SELF, "hidden", 0, "", "", 0, 0, false, SERVING,
       "serve also dotfiles, private keys and what editors leave behind; think twice")
OPTION(SWITCH, no_precompressed, SELF, "no-precompressed", 0, "", "", 0, 0, false, SERVING,
       "do not look for .br, .zst and .gz files beside the one asked for")
OPTION(CHOICE, compress, SELF, "compress", 0, "on|off", "on", 1, 0, false, SERVING,
       "compress files that have none of those beside them when a client asks for it, in the "
       "cache's memory: the first client gets them as they are; and lists of files")
OPTION(TEXT, compress_types, STATIC, "compress-types", 0, "TYPES", "usual", 0, 0, false, SERVING,
       "compress these types: 'text/* application/*+json', or 'usual model/gltf-binary' for those "
       "besides "
       "the usual ones, which are text, JSON, XML, SVG, wasm and the like")
OPTION(SIZE, compress_min_bytes, STATIC, "compress-min", 0, "SIZE", "1k", 1, OPTION_SIZE_MAX, false,
       SERVING, "compress from this size on")

OPTION(
    LIST, proxy_from, SELF, "proxy-from", 0, "NETWORK", "", 0, 0, false, SERVING,
    "connections from there (10.0.0.0/8, ::1, unix) are a proxy's and begin with a header of the "
    "PROXY protocol, which names the client; can be given several times")
OPTION(
    LIST, forwarded_from, SELF, "forwarded-from", 0, "NETWORK", "", 0, 0, false, SERVING,
    "believe HTTP proxies from there (10.0.0.0/8, ::1, unix) when they say for whom they ask: in "
    "the access log, for --redirect-to-https and --hsts; can be given several times")
OPTION(CHOICE, forwarded_header, SELF, "forwarded-header", 0, "x-forwarded|forwarded",
       "x-forwarded", 0, 0, false, SERVING,
       "which headers those proxies set themselves: X-Forwarded-For and -Proto, or Forwarded (RFC "
       "7239); the others come from clients and are not looked at")

OPTION(LIST, tls_cert, SELF, "tls-cert", 0, "FILE", "", 0, 0, false, TLS,
       "a certificate with the chain behind it, in PEM; several are told apart by the names in "
       "them; read again when the file is replaced")
OPTION(LIST, tls_key, SELF, "tls-key", 0, "FILE", "", 0, 0, false, TLS,
       "its key, not encrypted; the first one belongs to the first certificate, and so on; if not "
       "given it is in the certificate's file")
OPTION(LIST, tls_ocsp, SELF, "tls-ocsp", 0, "FILE", "", 0, 0, false, TLS,
       "an OCSP response, in DER, to send with the certificate, in the same order")
OPTION(OPTIONAL, tls_self_signed, SELF, "tls-self-signed", 0, "NAMES", "", 0, 0, false, TLS,
       "make a certificate for localhost and this machine, and for these names, for development: "
       "nobody trusts it")
OPTION(CHOICE, tls_policy, SELF, "tls-policy", 0, "intermediate|modern", "intermediate", 0, 0,
       false, TLS, "TLS 1.2 and 1.3, or 1.3 only")
OPTION(CHOICE, tls_client, SELF, "tls-client", 0, "off|optional|required", "off", 0, 0, false, TLS,
       "ask clients for a certificate")
OPTION(TEXT, tls_client_ca, SELF, "tls-client-ca", 0, "FILE", "", 0, 0, false, TLS,
       "who may have signed it, in PEM")
OPTION(SWITCH, no_http2, SELF, "no-http2", 0, "", "", 0, 0, false, TLS,
       "HTTP/1.1 only: with TLS nothing else is offered, without it nothing else is understood")
OPTION(SWITCH, redirect_to_https, SELF, "redirect-to-https", 0, "", "", 0, 0, false, TLS,
       "send clients that come without TLS to the first address with it (308), but for "
       "/.well-known/acme-challenge/")
OPTION(OPTIONAL, hsts, SELF, "hsts", 0, "VALUE", "", 0, 0, false, TLS,
       "tell browsers to come with TLS only (Strict-Transport-Security); without a value: "
       "max-age=31536000")
OPTION(TEXT, alt_svc, SELF, "alt-svc", 0, "VALUE", "", 0, 0, false, TLS,
       "tell clients of TLS where else the site can be had (Alt-Svc), such as from a server of "
       "HTTP/3 beside this one: 'h3=\":443\"; ma=86400', or clear")

OPTION(
    OPTIONAL, cors, SELF, "cors", 0, "ORIGIN", "", 0, 0, false, HEADERS,
    "let pages of ORIGIN read the answers (Access-Control-Allow-Origin); without a value: of any")
OPTION(LIST, header, SELF, "header", 'H', "'NAME: VALUE'", "", 0, 0, false, HEADERS,
       "add this header to every answer; can be given several times")
OPTION(LIST, cache_control, SELF, "cache-control", 0, "'PATTERN=VALUE'", "", 0, 0, false, HEADERS,
       "Cache-Control for files whose name matches: '*.css=max-age=3600', '/assets/**=immutable'; "
       "the first that matches; can be given several times")
OPTION(LIST, link, SELF, "link", 0, "'PATTERN=VALUE'", "", 0, 0, false, HEADERS,
       "Link for files whose name matches, for browsers to fetch with them: '*.html=</app.css>; "
       "rel=preload; as=style'; all that match, up to 8; can be given several times")
OPTION(
    CHOICE, early_hints, SELF, "early-hints", 0, "h2|all|off", "h2", 0, 0, false, HEADERS,
    "send these links ahead (103) when the file is not in memory: to clients of HTTP/2, to those "
    "of HTTP/1.1 as well, of which some take that for the answer, or to none")
OPTION(TEXT, server_name, SERVER, "server-name", 0, "NAME", "galley", 0, 0, false, HEADERS,
       "what the Server header says")
OPTION(SWITCH, no_server_name, SELF, "no-server-name", 0, "", "", 0, 0, false, HEADERS,
       "send no Server header")

OPTION(
    TEXT, access_log, SELF, "access-log", 0, "PATH|-|off", "", 0, 0, false, LOGS,
    "a line for each request to this file, or to standard output; the default is standard output "
    "when that is a terminal, else off")
OPTION(CHOICE, log_format, SELF, "log-format", 0, "dev|combined|json", "", 0, 0, false, LOGS,
       "format of the access log; the default is dev on a terminal, else combined")
OPTION(COUNT, ring_records, LOG, "log-buffer", 0, "LINES", "4096", 1, 1 << 20, false, LOGS,
       "lines of the access log that each loop can keep until they are written; more are dropped "
       "and counted")
OPTION(CHOICE, log_level, SERVER, "log-level", 0, "error|warning|info|debug", "info", 1, 0, false,
       LOGS, "how much is said on standard error; debug shows each request head")
OPTION(SWITCH, quiet, SELF, "quiet", 'q', "", "", 0, 0, false, LOGS,
       "say nothing at the start, and write an access log only if asked to")

OPTION(COUNT, loops, SERVER, "loops", 0, "N", "", 1, 256, false, MACHINE,
       "event loop threads; the default is one for each CPU, at most 8")
OPTION(CHOICE, io, SERVER, "io", 0, "auto|epoll|uring", "auto", 0, 0, false, MACHINE,
       "how the loops wait for the kernel: auto is what is better on the whole, epoll at present; "
       "uring fails where io_uring is forbidden")
OPTION(COUNT, threads, POOL, "workers", 'w', "N", "", 1, 32767, false, MACHINE,
       "threads for handlers that may block; the default is one for each CPU")
OPTION(COUNT, queue_capacity, POOL, "queue", 0, "JOBS", "4096", 1, 1 << 24, false, MACHINE,
       "requests that may wait for a worker; more are answered with 503")
OPTION(TIME, queue_timeout_ms, SERVER, "queue-timeout", 0, "TIME", "5s", 1, OPTION_TIME_MAX, true,
       MACHINE, "a request that waited longer for a worker is answered with 503")
OPTION(COUNT, file_threads, SERVER, "file-threads", 0, "N", "2", 1, 256, false, MACHINE,
       "threads that open and read files for the loops")
OPTION(SIZE, cache_bytes, STATIC, "cache-size", 0, "SIZE", "64M", 1, OPTION_SIZE_MAX, false,
       MACHINE,
       "memory for the contents of small files; if not given, an eighth of what the control group "
       "allows if that is less")
OPTION(SIZE, max_memory_file, STATIC, "cache-max-file", 0, "SIZE", "512k", 1, OPTION_SIZE_MAX,
       false, MACHINE, "larger files are sent from the disk")
OPTION(SIZE, max_hash_file, STATIC, "etag-max-file", 0, "SIZE", "16M", 1, OPTION_SIZE_MAX, false,
       MACHINE, "larger files get a weak ETag, which does not need their content")
OPTION(COUNT, max_open_files, STATIC, "open-files", 0, "N", "256", 1, 1 << 20, false, MACHINE,
       "descriptors kept open for large files")
OPTION(TIME, stall_warn_ms, SERVER, "stall-warning", 0, "TIME", "50ms", 1, OPTION_TIME_MAX, true,
       MACHINE, "say so when a handler holds its loop longer")

OPTION(COUNT, max_connections, SERVER, "max-connections", 0, "N", "", 1, 1 << 24, false, LIMITS,
       "at once; then the oldest idle ones are closed; the default is 80 % of the descriptors, or "
       "what fits the control group's memory")
OPTION(COUNT, max_requests_per_connection, SERVER, "max-requests-per-connection", 0, "N", "off", 1,
       UINT32_MAX - 1, true, LIMITS, "then the connection is closed")
OPTION(SIZE, max_target_bytes, SERVER, "max-target", 0, "SIZE", "8k", 16, 16 << 20, false, LIMITS,
       "of the target in the request line; longer is 414")
OPTION(SIZE, max_head_bytes, SERVER, "max-head", 0, "SIZE", "16k", 64, 16 << 20, false, LIMITS,
       "of request line and header lines together; longer is 431")
OPTION(COUNT, max_fields, SERVER, "max-fields", 0, "N", "100", 1, 10000, false, LIMITS,
       "header lines; more are 431")
OPTION(COUNT, max_streams, SERVER, "max-streams", 0, "N", "100", 1, 10000, false, LIMITS,
       "requests of one HTTP/2 connection at once; more are refused")
OPTION(SIZE, max_body_bytes, SERVER, "max-body", 0, "SIZE", "1M", 1, OPTION_SIZE_MAX, false, LIMITS,
       "of a request body; longer is 413")
OPTION(SIZE, max_memory_bytes, SERVER, "max-memory", 0, "SIZE", "1M", 4096, OPTION_SIZE_MAX, false,
       LIMITS, "that one request may use besides its body")
OPTION(TIME, head_timeout_ms, SERVER, "head-timeout", 0, "TIME", "10s", 1, OPTION_TIME_MAX, false,
       LIMITS, "for the first byte of a connection and the whole request head; then 408")
OPTION(TIME, idle_timeout_ms, SERVER, "idle-timeout", 0, "TIME", "60s", 1, OPTION_TIME_MAX, false,
       LIMITS, "for the next request on a connection")
OPTION(TIME, body_grace_ms, SERVER, "body-grace", 0, "TIME", "5s", 1, OPTION_TIME_MAX, false,
       LIMITS, "a request body may be slow for so long")
OPTION(SIZE, body_min_rate, SERVER, "body-min-rate", 0, "SIZE/s", "1k", 1, UINT32_MAX - 1, true,
       LIMITS, "then it must keep this rate; slower is 408")
OPTION(TIME, send_grace_ms, SERVER, "send-grace", 0, "TIME", "10s", 1, OPTION_TIME_MAX, false,
       LIMITS, "a client may read slowly for so long")
OPTION(SIZE, send_min_rate, SERVER, "send-min-rate", 0, "SIZE/s", "1k", 1, UINT32_MAX - 1, true,
       LIMITS, "then it must keep this rate; slower is cut")
OPTION(TIME, linger_ms, SERVER, "linger", 0, "TIME", "2s", 1, OPTION_TIME_MAX, false, LIMITS,
       "after a last answer: read what still comes, so that the client sees the answer")
OPTION(SIZE, linger_bytes, SERVER, "linger-bytes", 0, "SIZE", "256k", 1, UINT32_MAX - 1, false,
       LIMITS, "but not more than this")

OPTION(TIME, drain_ms, SERVER, "drain-timeout", 0, "TIME", "30s", 1, OPTION_TIME_MAX, true, ENDING,
       "for what still runs when galley is told to stop; then it is cut, and the exit status is 3")
OPTION(COUNT, max_requests, SERVER, "max-requests", 0, "N", "off", 1, UINT32_MAX - 1, true, ENDING,
       "serve so many requests, then stop as if told to")

OPTION(SWITCH, doctor, SELF, "doctor", 0, "", "", 0, 0, false, ABOUT,
       "say what would be served, and with what: limits, descriptors, CPUs, kernel; then end")
OPTION(SWITCH, print_config, SELF, "print-config", 0, "", "", 0, 0, false, ABOUT,
       "print every option with its value and where that comes from; then end")
OPTION(OPTIONAL, help, SELF, "help", 'h', "text|man|markdown|bash", "", 0, 0, false, ABOUT,
       "print this text, or the manual page, or a completion for bash; then end")
OPTION(SWITCH, version, SELF, "version", 'V', "", "", 0, 0, false, ABOUT,
       "print the version; then end")
