import Glibc

/// One read of a socket, with the descriptors that came along.
enum Receiving {
    enum Outcome: Equatable {
        /// So many bytes came.
        case bytes(Int)
        /// There are none now.
        case nothing
        /// The other side has closed the connection.
        case end
        /// The sentence says what is wrong.
        case failure(String)
    }

    /// The kernel passes at most this many descriptors with a message (SCM_MAX_FD): there is room for all, so that none is lost before it can be closed.
    private static let mostDescriptors = 253
    private static let headerSize = MemoryLayout<cmsghdr>.size

    /// CMSG_ALIGN of <sys/socket.h>, which Swift cannot import.
    private static func aligned(_ size: Int) -> Int { (size + MemoryLayout<Int>.size - 1) & ~(MemoryLayout<Int>.size - 1) }

    /// Reads at most as many bytes as there is room for. Descriptors are appended to those given, whatever the outcome.
    static func receive(_ socket: Int32, into room: UnsafeMutableRawBufferPointer, _ descriptors: inout [Int32]) -> Outcome {
        let controlSize = aligned(headerSize) + aligned(mostDescriptors * MemoryLayout<Int32>.size)
        return withUnsafeTemporaryAllocation(byteCount: controlSize, alignment: MemoryLayout<Int>.alignment) { control in
            var part = iovec(iov_base: room.baseAddress, iov_len: room.count)
            return withUnsafeMutablePointer(to: &part) { part in
                var message = msghdr()
                message.msg_iov = part
                message.msg_iovlen = 1
                message.msg_control = control.baseAddress
                message.msg_controllen = control.count
                let count = uninterrupted { recvmsg(socket, &message, Int32(MSG_CMSG_CLOEXEC) | Int32(MSG_DONTWAIT)) }
                if count < 0 {
                    return errno == EAGAIN || errno == EWOULDBLOCK ? .nothing : errno == ECONNRESET ? .end : .failure("the socket cannot be read: \(errorText())")
                }
                let isRightsOnly = take(UnsafeRawBufferPointer(rebasing: control[..<min(control.count, Int(message.msg_controllen))]), &descriptors)
                if message.msg_flags & Int32(MSG_CTRUNC) != 0 { return .failure("a message came with more descriptors than this process may open") }
                if !isRightsOnly { return .failure("a message came with something else than descriptors beside it") }
                return count == 0 ? .end : .bytes(count)
            }
        }
    }

    /// Reads the descriptors out of control data: headers, each with an array behind it (cmsg(3)).
    /// - Returns: whether it is descriptors only.
    private static func take(_ control: UnsafeRawBufferPointer, _ descriptors: inout [Int32]) -> Bool {
        var place = 0, isRightsOnly = true
        while control.count - place >= headerSize {
            let header = control.loadUnaligned(fromByteOffset: place, as: cmsghdr.self)
            let length = Int(header.cmsg_len)
            guard length >= headerSize, length <= control.count - place else { break }
            if header.cmsg_level == SOL_SOCKET, header.cmsg_type == Int32(SCM_RIGHTS) {
                for offset in stride(from: aligned(headerSize), through: length - MemoryLayout<Int32>.size, by: MemoryLayout<Int32>.size) {
                    descriptors.append(control.loadUnaligned(fromByteOffset: place + offset, as: Int32.self))
                }
            } else {
                isRightsOnly = false
            }
            place += aligned(length)
        }
        return isRightsOnly
    }
}
