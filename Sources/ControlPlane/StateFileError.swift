import Glibc

/// A sentence that says why the state could not be read or saved.
public struct StateFileError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    /// Whether the disk refuses to be written now and will accept it once somebody has seen to it. Such an error does not keep a daemon from starting.
    package let isOfDisk: Bool

    package init(_ description: String, isOfDisk: Bool = false) {
        self.description = description
        self.isOfDisk = isOfDisk
    }

    /// - Parameters:
    ///   - what: what failed.
    ///   - code: the errno that the system gave.
    ///   - remedy: what helps if the disk is not the reason.
    init(_ what: String, _ code: CInt, otherwise remedy: String? = nil) {
        let ofDisk = Self.remedy(code)
        description = "\(what) (\(String(cString: strerror(code))))\((ofDisk ?? remedy).map { ": \($0)" } ?? "")"
        isOfDisk = ofDisk != nil
    }

    private static func remedy(_ code: CInt) -> String? {
        switch code {
        case ENOSPC, EDQUOT: "make room on its disk"
        case EROFS: "mount its disk for writing, or give another path with --state"
        case EFBIG: "raise the limit of the size of files (LimitFSIZE in the unit, or ulimit -f)"
        case EIO: "see what is wrong with its disk, or give another path with --state"
        default: nil
        }
    }
}
