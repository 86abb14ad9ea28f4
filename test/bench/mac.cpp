/*
 * mac.cpp
 *		Which MAC for the chunks of Redis values?  Candidates that OpenSSL 1.1.1 and 3.0 have.
 *
 *	mac [ROUNDS]
 *
 * 12.65 MB (100,000 rows of 14 columns) in chunks of 1 MB, then a lone chunk of 256 bytes with a new
 * key each time.  All candidates in turn, each round; the median of the rounds is printed.
 * OPENSSL_ia32cap in the environment shows the CPUs that lack instructions:
 *
 *	OPENSSL_ia32cap=:~0x20000000 ./mac               no SHA instructions
 *	OPENSSL_ia32cap=~0x200000200000000:~0x20000000   no AES and PCLMULQDQ either
 *	OPENSSL_ia32cap=~0x1200000200000000:0            no AVX either
 */
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <openssl/evp.h>

namespace
{

constexpr size_t kChunk = 1024 * 1024;
constexpr size_t kTotal = 12650000;
constexpr size_t kSmall = 256;
constexpr int kSmallTimes = 2000;

void
Check(bool ok)
{
	if (!ok)
	{
		fprintf(stderr, "OpenSSL failed\n");
		exit(1);
	}
}

/* Keyed by a block before the text: for the speed of HMAC's inner hash, and of keyed BLAKE2. */
void
Digest(EVP_MD_CTX *context, const EVP_MD *md, const uint8_t *key, const uint8_t *bytes,
	   size_t length, uint8_t *tag)
{
	unsigned int done;

	Check(EVP_DigestInit_ex(context, md, nullptr) && EVP_DigestUpdate(context, key, 64) &&
		  EVP_DigestUpdate(context, bytes, length) && EVP_DigestFinal_ex(context, tag, &done));
}

/* HMAC: two hashes. */
void
Hmac(EVP_MD_CTX *context, const EVP_MD *md, const uint8_t *key, const uint8_t *bytes, size_t length,
	 uint8_t *tag)
{
	Digest(context, md, key, bytes, length, tag);
	Digest(context, md, key, tag, static_cast<size_t>(EVP_MD_size(md)), tag);
}

/* An AEAD over nothing, with the bytes as additional data. */
void
Aead(EVP_CIPHER_CTX *context, const uint8_t *key, uint32_t n, const uint8_t *bytes, size_t length,
	 uint8_t *tag)
{
	uint8_t nonce[12] = {static_cast<uint8_t>(n)};
	uint8_t none[16];
	int done;

	Check(EVP_EncryptInit_ex(context, nullptr, nullptr, key, nonce) &&
		  EVP_EncryptUpdate(context, nullptr, &done, bytes, static_cast<int>(length)) &&
		  EVP_EncryptFinal_ex(context, none, &done) &&
		  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag));
}

struct Candidate
{
	const char *name;
	const EVP_MD *md;
	bool hmac;
	const EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *context;
	std::vector<double> large_ms;
	std::vector<double> small_us;
};

void
Tag(Candidate &candidate, EVP_MD_CTX *md_context, const uint8_t *key, uint32_t n,
	const uint8_t *bytes, size_t length, uint8_t *tag)
{
	if (candidate.cipher)
		Aead(candidate.context, n == 0 ? key : nullptr, n, bytes, length, tag);
	else if (candidate.hmac)
		Hmac(md_context, candidate.md, key, bytes, length, tag);
	else
		Digest(md_context, candidate.md, key, bytes, length, tag);
}

double
Median(std::vector<double> &values)
{
	std::sort(values.begin(), values.end());
	return values[values.size() / 2];
}

} // namespace

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 15;
	std::vector<uint8_t> bytes(kTotal);
	uint8_t key[64] = {};
	uint8_t tag[64];
	EVP_MD_CTX *md_context = EVP_MD_CTX_new();
	Candidate candidates[] = {
		{"SHA-256, keyed prefix", EVP_sha256(), false, nullptr, nullptr, {}, {}},
		{"HMAC-SHA256", EVP_sha256(), true, nullptr, nullptr, {}, {}},
		{"BLAKE2b-512, keyed prefix", EVP_blake2b512(), false, nullptr, nullptr, {}, {}},
		{"BLAKE2s-256, keyed prefix", EVP_blake2s256(), false, nullptr, nullptr, {}, {}},
		{"AES-256-GMAC", nullptr, false, EVP_aes_256_gcm(), nullptr, {}, {}},
		{"ChaCha20-Poly1305, AAD only", nullptr, false, EVP_chacha20_poly1305(), nullptr, {}, {}},
	};

	for (size_t i = 0; i < kTotal; i++)
		bytes[i] = static_cast<uint8_t>(i * 2654435761u >> 13);
	for (Candidate &candidate : candidates)
	{
		if (!candidate.cipher)
			continue;
		candidate.context = EVP_CIPHER_CTX_new();
		Check(EVP_EncryptInit_ex(candidate.context, candidate.cipher, nullptr, nullptr, nullptr));
	}
	for (int round = 0; round < rounds; round++)
	{
		for (Candidate &candidate : candidates)
		{
			using Clock = std::chrono::steady_clock;
			Clock::time_point start = Clock::now();

			for (size_t at = 0; at < kTotal; at += kChunk)
				Tag(candidate, md_context, key, static_cast<uint32_t>(at / kChunk), &bytes[at],
					std::min(kChunk, kTotal - at), tag);

			Clock::time_point middle = Clock::now();

			for (int i = 0; i < kSmallTimes; i++)
			{
				key[0]++;
				Tag(candidate, md_context, key, 0, bytes.data(), kSmall, tag);
			}

			Clock::time_point end = Clock::now();
			std::chrono::duration<double, std::milli> large = middle - start;
			std::chrono::duration<double, std::micro> small = end - middle;

			candidate.large_ms.push_back(large.count());
			candidate.small_us.push_back(small.count() / kSmallTimes);
		}
	}
	printf("%-30s %12s %14s\n", "", "12.65 MB, ms", "256 bytes, us");
	for (Candidate &candidate : candidates)
		printf("%-30s %12.2f %14.2f\n", candidate.name, Median(candidate.large_ms),
			   Median(candidate.small_us));
	return 0;
}
