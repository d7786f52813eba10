"""How OpenCV's cv2 is built, with what vLLM uses of it."""

from snakedev.recipes.recipe import Recipe, Target, source_of

# What vLLM uses of cv2: colours, resizing, files of images, and video, decoded from memory.
_OPTIONS = {
    "BUILD_LIST": "core,imgproc,imgcodecs,videoio,python3,python_bindings_generator",
    # a free-threaded Python has no limited API
    "PYTHON3_LIMITED_API": "OFF",
    # what vLLM's CPU kernels need at least; OpenCV refuses to be imported on less
    "CPU_BASELINE": "AVX2",
    "CPU_DISPATCH": "",
    # whatever else the machine has stays out, so that the wheel is the same everywhere
    **dict.fromkeys(
        (
            *("ADE", "AVIF", "EIGEN", "FLATBUFFERS", "GSTREAMER", "IPP", "ITT", "JASPER"),
            *("JPEGXL", "LAPACK", "OPENCL", "OPENEXR", "OPENJPEG", "OPENMP", "PROTOBUF", "TBB"),
            *("TIFF", "V4L", "VA", "VA_INTEL", "VTK", "WEBP", "1394"),
        ),
        None,
    ),
    "BUILD_JPEG": "ON",
    "BUILD_PNG": "ON",
    "BUILD_ZLIB": "ON",
    "BUILD_OPENEXR": "OFF",
    "ENABLE_CCACHE": "OFF",
    "ENABLE_PRECOMPILED_HEADERS": "OFF",
    "BUILD_JAVA": "OFF",
    # by whatever assembler the machine has
    "ENABLE_LIBJPEG_TURBO_SIMD": "OFF",
    # what else would differ in cv2.getBuildInformation(); the version is that of git's commit
    "BUILD_INFO_SKIP_TIMESTAMP": "ON",
    "BUILD_INFO_SKIP_SYSTEM_VERSION": "ON",
    "OPENCV_VCSVERSION": "unknown",
}


# No part of FFmpeg under the GPL; its encoder and muxers write the videos of vLLM's benchmarks.
_FFMPEG_COMPONENTS = {
    "decoder": "h264,hevc,vp8,vp9,mpeg1video,mpeg2video,mpeg4,mjpeg,gif,rawvideo",
    "demuxer": "mov,matroska,avi,gif,mpegts,mpegps,h264,hevc,m4v,ivf",
    "parser": "h264,hevc,vp8,vp9,mpegvideo,mpeg4video,mjpeg,gif",
    "bsf": "vp9_superframe_split,h264_mp4toannexb,hevc_mp4toannexb,mpeg4_unpack_bframes,"
    "extract_extradata",
    "encoder": "mpeg4",
    "muxer": "mov,mp4",
    "protocol": "file",
}


def settings(target: Target) -> dict[str, str]:
    """Variables of a build: what CMake and FFmpeg's configure are told, and where FFmpeg is."""
    defined = (
        f"-DWITH_{name}=OFF" if value is None else f"-D{name}={value}"
        for name, value in _OPTIONS.items()
    )
    ffmpeg = (
        *("--enable-pic", "--disable-all", "--disable-autodetect", "--disable-debug"),
        *("--disable-doc", "--disable-programs", "--enable-pthreads"),
        *("--enable-avcodec", "--enable-avformat", "--enable-swscale"),
        *(f"--enable-{kind}={names}" for kind, names in _FFMPEG_COMPONENTS.items()),
    )
    return {
        "SKBUILD_CONFIGURE_OPTIONS": " ".join(defined),
        # the source is a git checkout of ours: its version and submodules stay as they are
        "OPENCV_PYTHON_SKIP_GIT_COMMANDS": "1",
        "OPENCV_PYTHON_FFMPEG_SOURCE": source_of("ffmpeg"),
        "OPENCV_PYTHON_FFMPEG_OPTIONS": " ".join(ffmpeg),
        "OPENCV_PYTHON_NASM_SOURCE": source_of("nasm"),
    }


RECIPE = Recipe(
    number=1,
    environment="build-opencv",
    # FFmpeg and nasm are built by make
    tools=("cc", "cxx", "make"),
    heavy=True,
    settings=settings,
)
