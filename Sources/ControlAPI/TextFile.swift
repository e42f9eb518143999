import Foundation

/// A sentence that says why a file could not be read.
public struct TextFileError: Error, CustomStringConvertible {
    public let description: String
}

/// The most bytes that are read, which is more than any configuration has. A device file may never end.
private let mostText = 32 << 20

/// The whole text of a configuration file.
///
/// - Parameters:
///   - name: a path, or `-` for standard input.
///   - waits: whether the file may be a pipe, whose writer may take its time. If not, it has to be a regular file.
/// - Throws: a sentence that says why the file cannot be read.
public func textFile(_ name: String, waits: Bool = true) throws(TextFileError) -> String {
    func failure() -> TextFileError { TextFileError(description: "\(name) cannot be read: \(String(cString: strerror(errno)))") }
    let descriptor = name == "-" ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC | (waits ? 0 : O_NONBLOCK))
    guard descriptor >= 0 else { throw failure() }
    defer { close(descriptor) }
    if !waits {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw failure() }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw TextFileError(description: "\(name) is not a regular file, and reading it might never end: write the configuration to a file, or use `sluice apply \(name)`")
        }
    }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw failure() }
        if count == 0 { break }
        bytes += buffer[..<count]
        if bytes.count > mostText { throw TextFileError(description: "\(name) is larger than \(mostText >> 20) MiB, which no configuration is: give another file") }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw TextFileError(description: "\(name) is not UTF-8 text") }
    return text
}
