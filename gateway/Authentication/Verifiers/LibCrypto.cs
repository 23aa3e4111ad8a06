using System.Reflection;
using System.Runtime.InteropServices;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// The few functions of OpenSSL's libcrypto (1.1.1 or newer) that Ed25519 needs: .NET 10 has no such type. Every handle is made and freed inside one
/// method of <see cref="Ed25519"/>, so none can leak or be used after it was freed; lengths are passed with every buffer.
/// </summary>
internal static class LibCrypto
{
    /// <summary>NID_ED25519 of OpenSSL's obj_mac.h; a number fixed for ever.</summary>
    public const int Ed25519Type = 1087;

    private const string Library = "webhookedge-libcrypto";

    /// <summary>The name with the version comes first: it is the one the framework's own cryptography uses, so no second copy is loaded.</summary>
    private static readonly string[] Names = ["libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.3.dylib", "libcrypto-3-x64.dll", "libcrypto-3-arm64.dll",
        "libcrypto.so"];

    private static readonly Lazy<nint> Handle = new(Load);

    static LibCrypto() =>
        NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), static (name, _, _) => name == Library ? Handle.Value : 0);

    /// <summary>False where no usable library was found; then none of the functions may be called.</summary>
    public static bool IsAvailable => Handle.Value != 0;

    private static nint Load()
    {
        foreach (var name in Names)
        {
            if (NativeLibrary.TryLoad(name, out var handle) && NativeLibrary.TryGetExport(handle, "EVP_DigestVerify", out _)
                && NativeLibrary.TryGetExport(handle, "EVP_PKEY_new_raw_public_key", out _))
            {
                return handle;
            }
        }

        return 0;
    }

#pragma warning disable SYSLIB1054 // LibraryImport writes unsafe code; these signatures are blittable and need no marshalling.
    [DllImport(Library, EntryPoint = "EVP_PKEY_new_raw_public_key", ExactSpelling = true)]
    public static extern nint NewPublicKey(int type, nint engine, in byte key, nuint length);

    [DllImport(Library, EntryPoint = "EVP_PKEY_new_raw_private_key", ExactSpelling = true)]
    public static extern nint NewPrivateKey(int type, nint engine, in byte key, nuint length);

    [DllImport(Library, EntryPoint = "EVP_PKEY_get_raw_public_key", ExactSpelling = true)]
    public static extern int GetPublicKey(nint key, ref byte destination, ref nuint length);

    [DllImport(Library, EntryPoint = "EVP_PKEY_free", ExactSpelling = true)]
    public static extern void FreeKey(nint key);

    [DllImport(Library, EntryPoint = "EVP_MD_CTX_new", ExactSpelling = true)]
    public static extern nint NewContext();

    [DllImport(Library, EntryPoint = "EVP_MD_CTX_free", ExactSpelling = true)]
    public static extern void FreeContext(nint context);

    [DllImport(Library, EntryPoint = "EVP_DigestVerifyInit", ExactSpelling = true)]
    public static extern int VerifyInit(nint context, nint keyContext, nint digest, nint engine, nint key);

    [DllImport(Library, EntryPoint = "EVP_DigestVerify", ExactSpelling = true)]
    public static extern int Verify(nint context, in byte signature, nuint signatureLength, in byte message, nuint messageLength);

    [DllImport(Library, EntryPoint = "EVP_DigestSignInit", ExactSpelling = true)]
    public static extern int SignInit(nint context, nint keyContext, nint digest, nint engine, nint key);

    [DllImport(Library, EntryPoint = "EVP_DigestSign", ExactSpelling = true)]
    public static extern int Sign(nint context, ref byte signature, ref nuint signatureLength, in byte message, nuint messageLength);

    [DllImport(Library, EntryPoint = "ERR_clear_error", ExactSpelling = true)]
    public static extern void ClearErrors();
#pragma warning restore SYSLIB1054
}
