// Group normalisation of a channels_last feature map with SiLU, and its gradient, in two passes over memory each.
//
//     u = (x - mean_g) / sqrt(var_g + eps) * weight_c + bias_c,    y = silu(u) = u / (1 + exp(-u))
//
// x, y and their gradients are (batch, pixels, channels) in float32 or bfloat16, weight and bias (channels,) in float32.
// The arithmetic is float32, the sums over pixels are float64. This file includes itself, once for each type.

#ifndef TYPE

#include <math.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 64  // pixels whose sums are taken in float32

typedef uint16_t bfloat16;

static inline float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float read_bfloat16(bfloat16 value) { return from_bits((uint32_t)value << 16); }

static inline bfloat16 write_bfloat16(float value) {
    uint32_t bits = to_bits(value);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;  // to nearest, ties to even
}

static inline float read_float(float value) { return value; }
static inline float write_float(float value) { return value; }

// 2^t by the polynomial of the fraction of t that errs least, 2e-7; written out so that the compiler makes vectors of it.
static inline float exp2_fast(float t) {
    t = t < -126.0f ? -126.0f : t > 126.0f ? 126.0f : t;
    float whole = rintf(t), f = t - whole;
    float p = 1.32765e-3f;
    p = p * f + 9.67554e-3f;
    p = p * f + 5.550713e-2f;
    p = p * f + 2.402212e-1f;
    p = p * f + 6.9314697e-1f;
    p = p * f + 1.00000007f;
    return from_bits(to_bits(p) + ((uint32_t)(int32_t)whole << 23));  // times 2^whole, by adding to the exponent
}

static inline float sigmoid(float u) { return 1.0f / (1.0f + exp2_fast(-1.44269504f * u)); }

static inline float silu_slope(float u) {
    float s = sigmoid(u);
    return s * (1.0f + u * (1.0f - s));
}

// A part of the pixels of every image: as many parts as threads are asked for, however many there come to be.
typedef struct {
    long first, last;
} Share;

static inline Share share_of(long part, long parts, long pixels) {
    long size = (pixels + parts - 1) / parts, first = part * size;
    return (Share){first, first + size < pixels ? first + size : pixels};
}

// Two sums over a group of image n, of what each thread has summed for each channel: (batch, threads, 2, channels).
static inline void group_sums(const double *partial_sums, long n, long threads, long channels, long first, long width,
                              const float *factor, double *a, double *b) {
    *a = *b = 0;
    for (long thread = 0; thread < threads; thread++) {
        const double *total = partial_sums + (n * threads + thread) * 2 * channels;
        for (long c = first; c < first + width; c++) {
            double f = factor ? factor[c] : 1.0;
            *a += f * total[c];
            *b += f * total[channels + c];
        }
    }
}

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define READ JOIN(read, TYPE)
#define WRITE JOIN(write, TYPE)

#define TYPE float
#include "group_norm_silu.c"
#undef TYPE
#define TYPE bfloat16
#include "group_norm_silu.c"

#else

// statistics: (batch, groups, 2), the mean and 1 / sqrt(var + eps) of each group; written.
// partial_sums: (batch, threads, 2, channels), a workspace.
void JOIN(norm_silu, TYPE)(const TYPE *restrict x, TYPE *restrict y, const float *restrict weight,
                           const float *restrict bias, float *restrict statistics, double *restrict partial_sums,
                           long batch, long pixels, long channels, long groups, float eps, int silu, int threads) {
#pragma omp parallel for num_threads(threads)
    for (int part = 0; part < threads; part++) {
        Share share = share_of(part, threads, pixels);
        float sum[channels], square[channels];
        for (long n = 0; n < batch; n++) {
            double *total = partial_sums + (n * threads + part) * 2 * channels;
            memset(total, 0, 2 * channels * sizeof *total);
            for (long start = share.first; start < share.last; start += BLOCK) {
                long end = start + BLOCK < share.last ? start + BLOCK : share.last;
                memset(sum, 0, channels * sizeof *sum);
                memset(square, 0, channels * sizeof *square);
                for (long i = n * pixels + start; i < n * pixels + end; i++)
                    for (long c = 0; c < channels; c++) {
                        float v = READ(x[i * channels + c]);
                        sum[c] += v;
                        square[c] += v * v;
                    }
                for (long c = 0; c < channels; c++) total[c] += sum[c];
                for (long c = 0; c < channels; c++) total[channels + c] += square[c];
            }
        }
    }
#pragma omp parallel for num_threads(threads)
    for (int part = 0; part < threads; part++) {
        Share share = share_of(part, threads, pixels);
        float scale[channels], shift[channels];
        long width = channels / groups;
        for (long n = 0; n < batch; n++) {
            for (long g = 0; g < groups; g++) {
                double sum, square, count = (double)width * pixels;
                group_sums(partial_sums, n, threads, channels, g * width, width, NULL, &sum, &square);
                double mean = sum / count, variance = square / count - mean * mean;
                float inverse = 1 / sqrt((variance > 0 ? variance : 0) + eps);
                for (long c = g * width; c < (g + 1) * width; c++) {
                    scale[c] = inverse * weight[c];
                    shift[c] = bias[c] - (float)mean * scale[c];
                }
                if (part == 0) {
                    statistics[(n * groups + g) * 2] = mean;
                    statistics[(n * groups + g) * 2 + 1] = inverse;
                }
            }
            for (long i = n * pixels + share.first; i < n * pixels + share.last; i++) {
                const TYPE *from = x + i * channels;
                TYPE *to = y + i * channels;
                if (silu)
                    for (long c = 0; c < channels; c++) {
                        float u = READ(from[c]) * scale[c] + shift[c];
                        to[c] = WRITE(u * sigmoid(u));
                    }
                else
                    for (long c = 0; c < channels; c++) to[c] = WRITE(READ(from[c]) * scale[c] + shift[c]);
            }
        }
    }
}

// dx from dy. partial_sums: (batch, threads, 2, channels), written: their sums over batch and threads are the
// gradients of bias and weight.
void JOIN(norm_silu_gradient, TYPE)(const TYPE *restrict x, const TYPE *restrict dy, TYPE *restrict dx,
                                    const float *restrict weight, const float *restrict bias,
                                    const float *restrict statistics, double *restrict partial_sums, long batch,
                                    long pixels, long channels, long groups, int silu, int threads) {
    long width = channels / groups;
    for (int pass = 0; pass < 2; pass++) {
#pragma omp parallel for num_threads(threads)
        for (int part = 0; part < threads; part++) {
            Share share = share_of(part, threads, pixels);
            float inverse[channels], offset[channels];  // (x - mean) / sqrt(var + eps) = x inverse + offset
            float first[channels], second[channels];
            for (long n = 0; n < batch; n++) {
                for (long c = 0; c < channels; c++) {
                    const float *of_group = statistics + (n * groups + c / width) * 2;
                    inverse[c] = of_group[1];
                    offset[c] = -of_group[0] * of_group[1];
                }
                if (pass == 0) {
                    double *total = partial_sums + (n * threads + part) * 2 * channels;
                    memset(total, 0, 2 * channels * sizeof *total);
                    for (long start = share.first; start < share.last; start += BLOCK) {
                        long end = start + BLOCK < share.last ? start + BLOCK : share.last;
                        memset(first, 0, channels * sizeof *first);
                        memset(second, 0, channels * sizeof *second);
                        for (long i = n * pixels + start; i < n * pixels + end; i++)
                            for (long c = 0; c < channels; c++) {
                                float normal = READ(x[i * channels + c]) * inverse[c] + offset[c];
                                float du = READ(dy[i * channels + c]);
                                if (silu) du *= silu_slope(normal * weight[c] + bias[c]);
                                first[c] += du;
                                second[c] += du * normal;
                            }
                        for (long c = 0; c < channels; c++) total[c] += first[c];
                        for (long c = 0; c < channels; c++) total[channels + c] += second[c];
                    }
                    continue;
                }
                for (long g = 0; g < groups; g++) {
                    double plain, along, count = (double)width * pixels;
                    group_sums(partial_sums, n, threads, channels, g * width, width, weight, &plain, &along);
                    for (long c = g * width; c < (g + 1) * width; c++) {
                        first[c] = plain / count;
                        second[c] = along / count;
                    }
                }
                for (long i = n * pixels + share.first; i < n * pixels + share.last; i++)
                    for (long c = 0; c < channels; c++) {
                        float normal = READ(x[i * channels + c]) * inverse[c] + offset[c];
                        float du = READ(dy[i * channels + c]);
                        if (silu) du *= silu_slope(normal * weight[c] + bias[c]);
                        dx[i * channels + c] = WRITE(inverse[c] * (weight[c] * du - first[c] - normal * second[c]));
                    }
            }
        }
    }
}

#endif
