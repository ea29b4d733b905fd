// Cyclic redundancy checks: CRC-32, CRC-32C (Castagnoli) and CRC-64/NVME, all reflected, all with an
// initial value and a final inversion of all ones.
//
// A message is a polynomial over GF(2); its CRC is the remainder after division by a fixed polynomial P.
// Three ways to the same remainder:
//
//   portable    eight bytes at a time through eight tables ("slicing by 8").
//   instruction the CPU's CRC-32C instruction (SSE4.2), or CRC-32 and CRC-32C (ARMv8): eight bytes each.
//   folding     carry-less multiplication (PCLMULQDQ, PMULL): a 16-byte piece A followed by D bits of
//               message counts A * x^D, which is congruent to A.high * (x^(D+64) mod P) +
//               A.low * (x^D mod P), a sum of two 64 by 64 bit products that fits 16 bytes again.
//               Four pieces are folded over 64 bytes at a time, then into one, and the CRC of that one
//               piece is the CRC of all.
//
// In the reflected form, bit i of a 64-bit word stands for x^(63-i), and the product of two such words
// read as a reflected 128-bit number comes out multiplied by x: the constants are made one power lower.
// All constants are computed when the library is loaded, from P alone.

#include "cshims.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#define GRANGE_FOLD_TARGET __attribute__((target("pclmul,sse4.2")))
#define GRANGE_CRC_TARGET __attribute__((target("sse4.2")))
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <arm_neon.h>
#include <sys/auxv.h>
#define GRANGE_FOLD_TARGET __attribute__((target("aes,crc")))
#define GRANGE_CRC_TARGET __attribute__((target("crc")))
#define GRANGE_HWCAP_PMULL (1 << 4)
#define GRANGE_HWCAP_CRC32 (1 << 7)
#endif

/// Below this, folding costs more to set up than it saves.
#define FOLD_MIN 128

typedef struct {
  uint64_t table[8][256];
  /// x^(D+63) and x^(D-1) modulo P for D = 512 and D = 128, reflected in 64 bits.
  uint64_t fold512[2];
  uint64_t fold128[2];
} crc_tables;

static crc_tables tables[3];
static int has_instruction[3];
static int has_folding;

// Reflected polynomials without their highest term.
static const uint64_t polynomials[3] = {0xEDB88320u, 0x82F63B78u, 0x9A6C9329AC4BC9B5u};
static const int widths[3] = {32, 32, 64};

static uint64_t power_of_x(int kind, int exponent) {
  uint64_t value = (uint64_t)1 << (widths[kind] - 1);
  for (int i = 0; i < exponent; i++) {
    value = (value >> 1) ^ ((value & 1) ? polynomials[kind] : 0);
  }
  return value << (64 - widths[kind]);
}

static void detect(void) {
#if defined(__x86_64__)
  unsigned a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d)) {
    has_instruction[CSHIMS_CRC32C] = (c & bit_SSE4_2) != 0;
    has_folding = (c & bit_SSE4_2) && (c & bit_PCLMUL);
  }
#elif defined(__aarch64__)
  unsigned long capabilities = getauxval(AT_HWCAP);
  has_instruction[CSHIMS_CRC32] = has_instruction[CSHIMS_CRC32C] =
      (capabilities & GRANGE_HWCAP_CRC32) != 0;
  has_folding = (capabilities & GRANGE_HWCAP_PMULL) && (capabilities & GRANGE_HWCAP_CRC32);
#endif
}

__attribute__((constructor)) static void prepare(void) {
  for (int kind = 0; kind < 3; kind++) {
    crc_tables *t = &tables[kind];
    for (int i = 0; i < 256; i++) {
      uint64_t value = (uint64_t)i;
      for (int bit = 0; bit < 8; bit++) {
        value = (value >> 1) ^ ((value & 1) ? polynomials[kind] : 0);
      }
      t->table[0][i] = value;
    }
    for (int slice = 1; slice < 8; slice++) {
      for (int i = 0; i < 256; i++) {
        uint64_t before = t->table[slice - 1][i];
        t->table[slice][i] = t->table[0][before & 255] ^ (before >> 8);
      }
    }
    t->fold512[0] = power_of_x(kind, 512 + 63);
    t->fold512[1] = power_of_x(kind, 512 - 1);
    t->fold128[0] = power_of_x(kind, 128 + 63);
    t->fold128[1] = power_of_x(kind, 128 - 1);
  }
  detect();
}

static inline uint64_t load64(const uint8_t *bytes) {
  uint64_t value;
  memcpy(&value, bytes, 8);
  return value;
}

// `state` is the inverted CRC, in the low bits.
static uint64_t portable(int kind, uint64_t state, const uint8_t *bytes, size_t count) {
  const uint64_t(*t)[256] = (const uint64_t(*)[256])tables[kind].table;
  while (count >= 8) {
    uint64_t v = load64(bytes) ^ state;
    state = t[7][v & 255] ^ t[6][v >> 8 & 255] ^ t[5][v >> 16 & 255] ^ t[4][v >> 24 & 255] ^
            t[3][v >> 32 & 255] ^ t[2][v >> 40 & 255] ^ t[1][v >> 48 & 255] ^ t[0][v >> 56];
    bytes += 8;
    count -= 8;
  }
  while (count--) state = t[0][(state ^ *bytes++) & 255] ^ (state >> 8);
  return state;
}

#if defined(__x86_64__)
GRANGE_CRC_TARGET
static uint64_t instruction(int kind, uint64_t state, const uint8_t *bytes, size_t count) {
  (void)kind;
  for (; count >= 8; bytes += 8, count -= 8) state = _mm_crc32_u64(state, load64(bytes));
  while (count--) state = _mm_crc32_u8((uint32_t)state, *bytes++);
  return state;
}
#elif defined(__aarch64__)
GRANGE_CRC_TARGET
static uint64_t instruction(int kind, uint64_t state, const uint8_t *bytes, size_t count) {
  uint32_t s = (uint32_t)state;
  if (kind == CSHIMS_CRC32C) {
    for (; count >= 8; bytes += 8, count -= 8) s = __crc32cd(s, load64(bytes));
    while (count--) s = __crc32cb(s, *bytes++);
  } else {
    for (; count >= 8; bytes += 8, count -= 8) s = __crc32d(s, load64(bytes));
    while (count--) s = __crc32b(s, *bytes++);
  }
  return s;
}
#else
static uint64_t instruction(int kind, uint64_t state, const uint8_t *bytes, size_t count) {
  return portable(kind, state, bytes, count);
}
#endif

static uint64_t unfolded(int kind, uint64_t state, const uint8_t *bytes, size_t count) {
  return has_instruction[kind] ? instruction(kind, state, bytes, count)
                               : portable(kind, state, bytes, count);
}

#if defined(__x86_64__)
typedef __m128i piece;
#define LOAD(p) _mm_loadu_si128((const __m128i *)(p))
#define STORE(p, v) _mm_storeu_si128((__m128i *)(p), v)
#define XOR(a, b) _mm_xor_si128(a, b)
#define PAIR(low, high) _mm_set_epi64x((long long)(high), (long long)(low))
// The first eight bytes of memory, which are the low word, carry the higher powers.
#define FOLD(v, k) XOR(_mm_clmulepi64_si128(v, k, 0x00), _mm_clmulepi64_si128(v, k, 0x11))
#elif defined(__aarch64__)
typedef uint64x2_t piece;
#define LOAD(p) vreinterpretq_u64_u8(vld1q_u8(p))
#define STORE(p, v) vst1q_u8(p, vreinterpretq_u8_u64(v))
#define XOR(a, b) veorq_u64(a, b)
#define PAIR(low, high) vcombine_u64(vcreate_u64(low), vcreate_u64(high))
#define PRODUCT(v, k, lane)                                          \
  vreinterpretq_u64_p128(vmull_p64((poly64_t)vgetq_lane_u64(v, lane), \
                                   (poly64_t)vgetq_lane_u64(k, lane)))
#define FOLD(v, k) XOR(PRODUCT(v, k, 0), PRODUCT(v, k, 1))
#endif

#if defined(__x86_64__) || defined(__aarch64__)
// Requires: count >= 64.
GRANGE_FOLD_TARGET
static uint64_t folding(int kind, uint64_t state, const uint8_t *bytes, size_t count) {
  const crc_tables *t = &tables[kind];
  const piece k512 = PAIR(t->fold512[0], t->fold512[1]);
  const piece k128 = PAIR(t->fold128[0], t->fold128[1]);
  piece a = XOR(LOAD(bytes), PAIR(state, 0));
  piece b = LOAD(bytes + 16), c = LOAD(bytes + 32), d = LOAD(bytes + 48);
  for (bytes += 64, count -= 64; count >= 64; bytes += 64, count -= 64) {
    a = XOR(FOLD(a, k512), LOAD(bytes));
    b = XOR(FOLD(b, k512), LOAD(bytes + 16));
    c = XOR(FOLD(c, k512), LOAD(bytes + 32));
    d = XOR(FOLD(d, k512), LOAD(bytes + 48));
  }
  b = XOR(FOLD(a, k128), b);
  c = XOR(FOLD(b, k128), c);
  d = XOR(FOLD(c, k128), d);
  for (; count >= 16; bytes += 16, count -= 16) d = XOR(FOLD(d, k128), LOAD(bytes));
  uint8_t last[16];
  STORE(last, d);
  return unfolded(kind, unfolded(kind, 0, last, 16), bytes, count);
}
#else
static uint64_t folding(int kind, uint64_t state, const uint8_t *bytes, size_t count) {
  return portable(kind, state, bytes, count);
}
#endif

static inline uint64_t ones(int kind) { return widths[kind] == 64 ? ~(uint64_t)0 : 0xFFFFFFFFu; }

uint64_t cshims_crc(cshims_crc_kind kind, uint64_t crc, const void *bytes, size_t count) {
  uint64_t state = crc ^ ones((int)kind);
  state = has_folding && count >= FOLD_MIN ? folding((int)kind, state, bytes, count)
                                           : unfolded((int)kind, state, bytes, count);
  return state ^ ones((int)kind);
}

int cshims_crc_path(cshims_crc_kind kind, cshims_crc_way way, uint64_t *crc, const void *bytes,
                    size_t count) {
  uint64_t state = *crc ^ ones((int)kind);
  if (way == CSHIMS_CRC_INSTRUCTION && !has_instruction[kind]) return 0;
  if (way == CSHIMS_CRC_FOLDING && (!has_folding || count < 64)) return 0;
  switch (way) {
    case CSHIMS_CRC_PORTABLE: state = portable((int)kind, state, bytes, count); break;
    case CSHIMS_CRC_INSTRUCTION: state = instruction((int)kind, state, bytes, count); break;
    case CSHIMS_CRC_FOLDING: state = folding((int)kind, state, bytes, count); break;
  }
  *crc = state ^ ones((int)kind);
  return 1;
}
