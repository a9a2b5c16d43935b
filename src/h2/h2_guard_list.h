/* h2/h2_guard_list.h — H2_GUARD(ID, burst, per_second, saved, sentence): what a client can repeat cheaply
 * and what costs us more. So many at once are taken, and so many more each second; the next one ends the
 * connection with GOAWAY ENHANCE_YOUR_CALM. Burst 0: the first one does, for somebody else has counted.
 * What an honest client has a reason for is explained (h2_guard_explain) and not counted at all, whenever
 * it comes; of explanations that were not used so many are saved.
 * An X-macro table; no include guard by intention. */
H2_GUARD(RESETS, 1000, 100, 1000, "streams reset by the client unanswered (CVE-2023-44487)")
H2_GUARD(MADE_RESETS, 100, 10, 0, "streams that its own errors made us reset (CVE-2025-8671)")
H2_GUARD(REFUSED, 100, 10, 0, "streams beyond the number that it has acknowledged")
H2_GUARD(PINGS, 100, 10, UINT32_MAX, "PING frames, each of which wants an answer")
H2_GUARD(SETTINGS, 20, 2, UINT32_MAX, "SETTINGS frames, each of which wants an answer")
H2_GUARD(EMPTY_DATA, 100, 10, UINT32_MAX, "DATA frames without data that end nothing")
H2_GUARD(WINDOW_UPDATES, 1000, 100, UINT32_MAX, "WINDOW_UPDATE frames that no bytes explain")
H2_GUARD(PRIORITIES, 500, 50, UINT32_MAX, "PRIORITY and PRIORITY_UPDATE frames")
H2_GUARD(CONTINUATIONS, 0, 0, 0, "too many CONTINUATION frames behind one HEADERS (CVE-2024-27316)")
H2_GUARD(HEADER_BOMB, 0, 0, 0, "a header block many times over the limits (CVE-2026-49975)")
H2_GUARD(ACKS, 0, 0, 0, "answers to PING and SETTINGS that are not read")
