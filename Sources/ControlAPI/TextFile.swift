import Foundation

/// Why a file could not be read, as a sentence.
public struct TextFileError: Error, CustomStringConvertible {
    public let description: String
}

/// The whole text of a configuration file.
///
/// - Parameter name: a path, or `-` for standard input.
public func textFile(_ name: String) throws(TextFileError) -> String {
    func failure() -> TextFileError { TextFileError(description: "\(name) cannot be read: \(String(cString: strerror(errno)))") }
    let descriptor = name == "-" ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure() }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw failure() }
        if count == 0 { break }
        bytes += buffer[..<count]
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw TextFileError(description: "\(name) is not UTF-8 text") }
    return text
}
