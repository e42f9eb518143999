import DPDKShim
import Glibc

/// Why the data plane could not do what it was asked: a sentence that says what was wrong and what to do about it.
public struct DataPlaneError: Error, CustomStringConvertible, Sendable {
    public let description: String
    public init(_ description: String) { self.description = description }

    /// - Parameter code: a (possibly negative) errno.
    static func errorText(_ code: CInt) -> String { String(cString: strerror(abs(code))) }
}
