# The look that all pictures share.
if (!exists("term")) term = "svg"
if (term eq "png") set terminal pngcairo size 1440,900 font "sans,12" fontscale 1.4 linewidth 1.5
if (term eq "svg") set terminal svg size 960,600 font "sans-serif,13" background "#ffffff"
if (term eq "pdf") set terminal pdfcairo size 9.6in,6in font "sans,13"
if (term eq "dumb") set terminal dumb size 110,40
set output term eq "dumb" ? "/dev/stdout" : name . "." . term
set encoding utf8

# Okabe and Ito: told apart by every kind of colour vision.
blue = "#0072B2"; sky = "#56B4E9"; green = "#009E73"; orange = "#E69F00"
red = "#D55E00"; purple = "#CC79A7"; grey = "#999999"; ink = "#333333"; faint = "#F2F2F2"

set border 3 lc rgb grey
set tics nomirror out scale 0.6 tc rgb ink
set grid lc rgb "#DDDDDD" lw 0.8 dt 1
set xlabel tc rgb ink
set style fill solid noborder
set key noautotitle
set lmargin at screen 0.115
set rmargin at screen 0.87
set tmargin at screen 0.85
set bmargin at screen 0.12
set label 1 "{/:Bold " . heading . "}" at screen 0.02, 0.955 font ",16" tc rgb ink
set label 2 caption at screen 0.02, 0.905 noenhanced tc rgb "#666666"

