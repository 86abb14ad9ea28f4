/*
 * value_crypto.cpp
 *		What authenticates and compresses values: HMAC-SHA256 and tags of chunks.
 *
 * Part of value.h.
 */
#include "redis/value_crypto.h"

#include <cstring>

#include <lz4.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <zstd.h>

namespace cq::redis
{
namespace
{

constexpr int kZstdLevel = 1;
constexpr size_t kSha256Block = 64;
constexpr size_t kNonceBytes = 12;
constexpr char kChunkLabel[] = "cached_query chunks";

/* --- HMAC-SHA256 ---------------------------------------------------------------------------- */

/*
 * HMAC by its definition, on digests that have taken in the padded key already: keying costs more
 * than signing a small head does, OpenSSL's HMAC_CTX is deprecated in 3.0, EVP_MAC not in 1.1.1.
 */
struct Signer
{
	Secret secret;
	bool keyed; // inner and outer are of secret
	EVP_MD_CTX *inner;
	EVP_MD_CTX *outer;
	EVP_MD_CTX *work;
};

Signer signer;

bool
StartDigest(EVP_MD_CTX *digest, const Secret &secret, uint8_t pad)
{
	uint8_t block[kSha256Block];
	bool ok;

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < kSecretBytes; i++)
		block[i] ^= secret.bytes[i];
	ok = EVP_DigestInit_ex(digest, EVP_sha256(), nullptr) == 1 &&
		 EVP_DigestUpdate(digest, block, sizeof(block)) == 1;
	OPENSSL_cleanse(block, sizeof(block));
	return ok;
}

bool
MakeContext(EVP_MD_CTX **context)
{
	if (*context == nullptr)
		*context = EVP_MD_CTX_new();
	return *context != nullptr;
}

} // namespace

bool
KeySigner(const Secret &secret)
{
	if (signer.keyed && CRYPTO_memcmp(&signer.secret, &secret, sizeof(secret)) == 0)
		return true;
	signer.keyed = false;
	if (!MakeContext(&signer.inner) || !MakeContext(&signer.outer) || !MakeContext(&signer.work) ||
		!StartDigest(signer.inner, secret, 0x36) || !StartDigest(signer.outer, secret, 0x5c))
		return false;
	signer.secret = secret;
	signer.keyed = true;
	return true;
}

namespace
{

/* --- tags of chunks ------------------------------------------------------------------------- */

/* ChaCha20-Poly1305 under the key of the fill that was last worked on. */
struct Tagger
{
	Secret secret;
	FillId fill;
	bool keyed; // cipher has the key of secret and fill
	EVP_CIPHER_CTX *cipher;
};

Tagger tagger;

bool
MakeCipher()
{
	if (tagger.cipher != nullptr)
		return true;

	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();

	if (cipher == nullptr)
		return false;
	if (EVP_EncryptInit_ex(cipher, EVP_chacha20_poly1305(), nullptr, nullptr, nullptr) != 1)
	{
		EVP_CIPHER_CTX_free(cipher);
		return false;
	}
	tagger.cipher = cipher;
	return true;
}

bool
KeyTagger(const Secret &secret, const FillId &fill)
{
	uint8_t text[sizeof(kChunkLabel) - 1 + kFillIdBytes];
	uint8_t key[kMacBytes];
	bool ok;

	if (tagger.keyed && CRYPTO_memcmp(&tagger.secret, &secret, sizeof(secret)) == 0 &&
		memcmp(&tagger.fill, &fill, sizeof(fill)) == 0)
		return true;
	tagger.keyed = false;
	memcpy(text, kChunkLabel, sizeof(kChunkLabel) - 1);
	memcpy(text + sizeof(kChunkLabel) - 1, fill.bytes, kFillIdBytes);
	static_assert(sizeof(key) == 32, "a key of ChaCha20 takes all of it");
	ok = MakeCipher() && Sign(secret, text, sizeof(text), key) &&
		 EVP_EncryptInit_ex(tagger.cipher, nullptr, nullptr, key, nullptr) == 1;
	OPENSSL_cleanse(key, sizeof(key));
	if (!ok)
		return false;
	tagger.secret = secret;
	tagger.fill = fill;
	tagger.keyed = true;
	return true;
}

} // namespace

bool
MakeTag(const Secret &secret, const FillId &fill, uint32_t n, const void *bytes, uint32_t length,
		uint8_t tag[kTagBytes])
{
	uint8_t nonce[kNonceBytes] = {};
	uint8_t none[kTagBytes]; // where the ciphertext of nothing would go
	int done;

	static_assert(kChunkBytes <= INT32_MAX, "lengths are int there");
	for (int i = 0; i < 4; i++)
		nonce[i] = static_cast<uint8_t>(n >> (8 * i));
	if (!KeyTagger(secret, fill))
		return false;
	if (EVP_EncryptInit_ex(tagger.cipher, nullptr, nullptr, nullptr, nonce) == 1 &&
		EVP_EncryptUpdate(tagger.cipher, nullptr, &done, static_cast<const uint8_t *>(bytes),
						  static_cast<int>(length)) == 1 &&
		EVP_EncryptFinal_ex(tagger.cipher, none, &done) == 1 &&
		EVP_CIPHER_CTX_ctrl(tagger.cipher, EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag) == 1)
		return true;
	tagger.keyed = false;
	return false;
}

namespace
{

/* --- compression ---------------------------------------------------------------------------- */

} // namespace

ZSTD_CCtx *zstd_out;
ZSTD_DCtx *zstd_in;

uint32_t
Compress(Compression compression, const void *plain, uint32_t length, void *scratch)
{
	uint32_t room = length - length / 8 - (length % 8 != 0);

	if (room == 0 || room == length)
		return 0;
	if (compression == Compression::lz4)
		return static_cast<uint32_t>(
			LZ4_compress_default(static_cast<const char *>(plain), static_cast<char *>(scratch),
								 static_cast<int>(length), static_cast<int>(room)));
	if (compression != Compression::zstd)
		return 0;
	if (zstd_out == nullptr)
		zstd_out = ZSTD_createCCtx();
	if (zstd_out == nullptr)
		return 0;

	size_t result = ZSTD_compressCCtx(zstd_out, scratch, room, plain, length, kZstdLevel);

	return ZSTD_isError(result) ? 0 : static_cast<uint32_t>(result);
}

bool
Sign(const Secret &secret, const void *bytes, size_t length, uint8_t mac[kMacBytes])
{
	uint8_t inner[kMacBytes];
	unsigned int done;

	if (!KeySigner(secret))
		return false;
	return EVP_MD_CTX_copy_ex(signer.work, signer.inner) == 1 &&
		   EVP_DigestUpdate(signer.work, bytes, length) == 1 &&
		   EVP_DigestFinal_ex(signer.work, inner, &done) == 1 &&
		   EVP_MD_CTX_copy_ex(signer.work, signer.outer) == 1 &&
		   EVP_DigestUpdate(signer.work, inner, sizeof(inner)) == 1 &&
		   EVP_DigestFinal_ex(signer.work, mac, &done) == 1;
}

bool
Decompress(const Head &head, uint32_t n, const void *bytes, size_t length, void *out, size_t room)
{
	if (n >= head.header.chunk_count)
		return false;

	Chunk chunk = GetChunk(head, n);

	if (length != chunk.stored || room < chunk.plain)
		return false;
	if (chunk.stored == chunk.plain)
	{
		memcpy(out, bytes, chunk.plain);
		return true;
	}
	if (head.header.compression == Compression::lz4)
		return LZ4_decompress_safe(static_cast<const char *>(bytes), static_cast<char *>(out),
								   static_cast<int>(chunk.stored),
								   static_cast<int>(chunk.plain)) == static_cast<int>(chunk.plain);
	if (zstd_in == nullptr)
		zstd_in = ZSTD_createDCtx();
	return zstd_in != nullptr &&
		   ZSTD_decompressDCtx(zstd_in, out, chunk.plain, bytes, chunk.stored) == chunk.plain;
}

} // namespace cq::redis
