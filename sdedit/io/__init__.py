"""Image files to PIL images and back, and every write. Knows no model.

files          looked at and read                    writing        whole or not at all
outputs        which files a job writes              tables         TOML, and tables as dataclasses
images         guides: any file as 8-bit sRGB        source_image   what an edit must keep: pixels, profile, EXIF
tensors        PIL images <-> tensors                photographs    many of them, as bytes in memory
walk           the images of a folder and below it   photograph_files  those of a folder or an archive
recipe         how an image was made, in its file    contact_sheet  images with captions in rows
history        the place of that in EXIF data        colour         any image as 8-bit sRGB
png            chunks beside the pixels              beside         resolution, XMP and text of a file
deep           colours of 16 bits per channel
"""
